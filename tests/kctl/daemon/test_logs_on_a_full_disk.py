"""Who logs must not suffer from a disk that takes no log."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from kctl.daemon.logs import ComponentFiles


def test_lines_that_cannot_be_written_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, logger = ComponentFiles(tmp_path), logging.Logger("store.sqlite")
    logger.addHandler(handler)
    logger.warning("before")
    write, full = os.write, True

    def failing(descriptor: int, data: Any) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", failing)
    logger.critical("lost")
    logger.critical("lost")
    full = False
    logger.warning("after \ud800")
    logger.warning("%d", "no number")
    handler.close()
    text = (tmp_path / "etcd.log").read_text()
    assert "lost" not in text and "(2 lines could not be written here)\n" in text and text.endswith("] after \\ud800\n")
