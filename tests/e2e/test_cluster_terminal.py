"""run-cluster and cluster on a terminal: what goes on is shown, colour only there and not with NO_COLOR; Ctrl-C ends with a word."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.clusters import environment_of, folder_of, start
from tests.e2e.differential import ROOT
from tests.e2e.live import DEADLINE_SECONDS, kctl

pytestmark = pytest.mark.process


class Terminal:
    """kctl with a terminal of its own for all three streams."""

    def __init__(self, home: Path, *words: str, **variables: str) -> None:
        self._end, other = pty.openpty()
        environment = environment_of(home, {"TERM": "xterm", **variables})
        if "NO_COLOR" not in variables:
            environment.pop("NO_COLOR", None)
        command = [sys.executable, "-m", "kctl", *words]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=other, stdout=other, stderr=other, start_new_session=True, preexec_fn=_controlling
        )
        os.close(other)
        self.shown = ""

    def until(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline and self._read(), f"{text!r} was not shown: {self.shown!r}"

    def _read(self) -> bool:
        assert select.select([self._end], [], [], DEADLINE_SECONDS)[0], f"nothing more was shown, and it goes on: {self.shown!r}"
        try:
            part = os.read(self._end, 65536)
        except OSError:  # EIO: nobody has the other end any more
            return False
        self.shown += part.decode()
        return bool(part)

    def press(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def rest(self) -> int:
        while self._read():
            pass
        os.close(self._end)
        return self.process.wait(DEADLINE_SECONDS)


def _controlling() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as in a login shell: under nohup, tests inherit that it is ignored


def test_ctrl_c_says_that_the_cluster_stopped_and_how_to_go_on(home: Path) -> None:
    terminal = Terminal(home, "run-cluster", "--port", "0", "--nodes", "1")
    terminal.until("Press Ctrl-C to stop it.")
    assert 'Starting cluster "kctl"' in terminal.shown and "etcd is ready" in terminal.shown
    assert '\x1b[0;32mCluster "kctl" is ready\x1b[0m: Kubernetes' in terminal.shown
    assert "kube-scheduler is ready\r\x1b[K" not in terminal.shown.split("Press")[1]
    terminal.press(b"\x03")
    assert terminal.rest() == 0
    assert 'Stopping cluster "kctl"' in terminal.shown
    last = terminal.shown.rstrip().splitlines()[-1]
    folder = folder_of(home, "kctl")
    assert last.endswith(f'Cluster "kctl" stopped. Its state stays in {folder}; go on with: kctl run-cluster --name kctl')


def test_without_colour_where_it_is_not_wanted(home: Path) -> None:
    terminal = Terminal(home, "run-cluster", "--detach", "--port", "0", "--nodes", "1", NO_COLOR="1")
    assert terminal.rest() == 0
    assert 'Cluster "kctl" is ready: Kubernetes' in terminal.shown and "\x1b[0;" not in terminal.shown
    coloured, plain = Terminal(home, "cluster", "list"), Terminal(home, "cluster", "list", NO_COLOR="1")
    assert coloured.rest() == plain.rest() == 0
    assert "\x1b[0;32mRunning\x1b[0m" in coloured.shown and "\x1b[" not in plain.shown
    assert "\x1b" not in kctl(home, "cluster", "list").stdout


def test_stop_and_delete_show_that_they_are_at_work(home: Path) -> None:
    assert start(home, "kctl", "--port", "0").returncode == 0
    stopping = Terminal(home, "cluster", "stop")
    assert stopping.rest() == 0
    assert 'Stopping cluster "kctl"' in stopping.shown and stopping.shown.endswith('\r\x1b[Kcluster "kctl" stopped\r\n')
    deleting = Terminal(home, "cluster", "delete")
    assert deleting.rest() == 0
    assert 'Deleting cluster "kctl"' in deleting.shown and deleting.shown.endswith('\r\x1b[Kcluster "kctl" deleted\r\n')


def test_ctrl_c_while_a_background_cluster_starts_leaves_none_running(home: Path) -> None:
    terminal = Terminal(home, "run-cluster", "--detach", "--port", "0", "--nodes", "500")
    terminal.until("etcd is ready")
    terminal.press(b"\x03")
    code = terminal.rest()
    if 'Cluster "kctl" is ready\x1b[0m: Kubernetes' not in terminal.shown:
        assert code == 130 and "Its state stays" in terminal.shown
        assert "Running" not in kctl(home, "cluster", "list").stdout


def test_a_terminal_that_is_closed_stops_the_cluster_cleanly(home: Path) -> None:
    terminal = Terminal(home, "run-cluster", "--port", "0", "--nodes", "1")
    terminal.until("Press Ctrl-C to stop it.")
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.rest() == 0
    assert kctl(home, "cluster", "status").returncode == 3
