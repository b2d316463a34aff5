"""One log file for each component under logs/, in klog's line format, so that `kctl logs kube-scheduler-…` has something real.

Components log through the standard library under their module names; which file a line goes to follows from the name.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from kctl.apimachinery.clock import Clock
from kctl.daemon import private_files

_OWNERS = (
    ("store", "etcd"),
    ("kctl.kube_apiserver", "kube-apiserver"),
    ("controllers.kube_scheduler", "kube-scheduler"),
    ("controllers.kubelet", "kubelet"),
    ("controllers", "kube-controller-manager"),
    ("", "daemon"),
)
COMPONENTS = tuple(component for _, component in _OWNERS)
_LETTERS = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}
_MAXIMUM_BYTES = 10 * 1024 * 1024
_FOLLOW_SECONDS = 0.25


def component_of(logger_name: str) -> str:
    """The component that owns a logger: controllers.kube_scheduler.queue belongs to kube-scheduler."""
    for prefix, component in _OWNERS:
        if not prefix or logger_name == prefix or logger_name.startswith(prefix + "."):
            return component
    return "daemon"


class KlogFormatter(logging.Formatter):
    """I0102 15:04:05.000000   1234 file.py:10] text"""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        letter = _LETTERS.get(record.levelno, "I")
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{letter}{moment:%m%d %H:%M:%S.%f} {os.getpid():7d} {record.filename}:{record.lineno}] {text}"


class ComponentFiles(logging.Handler):
    """Appends each record to its component's file; a file over 10 MiB is started anew, the old one kept as .1.

    Never raises: who logs may be the one who deals with the full disk. Lines that could not be written are counted, and the next
    one that can be says so."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        private_files.make_folder(directory)
        self._directory = directory
        self._files: dict[str, int] = {}
        self._unwritten = 0
        self.setFormatter(KlogFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record) + "\n"
            if self._unwritten:
                text = f"({self._unwritten} lines could not be written here)\n{text}"
            os.write(self._file(component_of(record.name)), text.encode(errors="backslashreplace"))
            self._unwritten = 0
        except OSError:
            self._unwritten += 1
        except Exception:
            self.handleError(record)

    def _file(self, component: str) -> int:
        descriptor = self._files.get(component)
        path = self._directory / f"{component}.log"
        if descriptor is not None and os.fstat(descriptor).st_size > _MAXIMUM_BYTES:
            os.close(self._files.pop(component))
            path.replace(path.with_suffix(".log.1"))
            descriptor = None
        if descriptor is None:
            descriptor = private_files.open_file(path, os.O_WRONLY | os.O_APPEND)
            self._files[component] = descriptor
        return descriptor

    def close(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        super().close()


def install(directory: Path, *, verbose: bool) -> ComponentFiles:
    """Send all log records to the component files; nothing goes to the terminal."""
    handler = ComponentFiles(directory)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return handler


async def read(path: Path, options: Mapping[str, str], clock: Clock) -> AsyncIterator[bytes]:
    """A component's log as pods/log gives it. Honours tailLines, limitBytes and follow; klog lines carry their own time, which
    `timestamps` and `sinceSeconds` leave alone."""
    data = _content(path, 0)
    position = len(data)
    tail = options.get("tailLines")
    if tail is not None:
        lines = data.splitlines(keepends=True)
        data = b"".join(lines[len(lines) - int(tail) :]) if int(tail) < len(lines) else data
    limit = options.get("limitBytes")
    if limit is not None:
        data = data[: int(limit)]
    if data:
        yield data
    while options.get("follow") == "true":
        await clock.sleep(_FOLLOW_SECONDS)
        more = _content(path, position)
        position += len(more)
        if more:
            yield more


def _content(path: Path, position: int) -> bytes:
    """From `position` on; from the start where the file has been started anew."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(position if position <= size else 0)
            return file.read()
    except FileNotFoundError:
        return b""
