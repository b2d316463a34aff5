"""More clients than files may be open: the others wait, the log stays small, the cluster works."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.differential import ROOT
from tests.e2e.live import eventually, kctl, stop_all

pytestmark = pytest.mark.process


def _limits(soft: int, hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_all(tmp_path)


def _start(home: Path, soft: int, hard: int) -> tuple[int, int]:
    """Process id and port of a daemon with these limits."""
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHONPATH": str(ROOT)}
    environment.pop("KUBECONFIG", None)
    command = [sys.executable, "-m", "kctl", "run-cluster", "--detach", "--name", "test", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=lambda: _limits(soft, hard), timeout=60)
    assert done.returncode == 0, done.stderr
    holder = json.loads((home / "data" / "kctl" / "test" / "run.pid").read_text())
    return holder["pid"], int(holder["server"].rsplit(":", 1)[1])


def _limit(pid: int) -> int:
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max open files"):
            return int(line.split()[3])
    raise AssertionError("no limit")


def _log_bytes(home: Path) -> int:
    return sum(file.stat().st_size for file in (home / "data" / "kctl" / "test" / "logs").iterdir())


def test_a_hundred_connections_and_sixty_four_files(home: Path) -> None:
    pid, port = _start(home, 64, 64)
    before = _log_bytes(home)
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(2)
        assert len(os.listdir(f"/proc/{pid}/fd")) <= 64
        assert _log_bytes(home) - before < 10_000
        assert "no more connections are accepted for a moment" in "".join(
            file.read_text() for file in (home / "data" / "kctl" / "test" / "logs").iterdir()
        )
    answered = kctl(home, "--cluster", "test", "create", "configmap", "works")
    assert answered.returncode == 0, answered.stderr


def test_the_soft_limit_is_raised_to_the_hard_one(home: Path) -> None:
    pid, _ = _start(home, 256, 4000)
    eventually(lambda: _limit(pid) == 4000, "the limit was raised")
