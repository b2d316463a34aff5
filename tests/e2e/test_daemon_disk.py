"""What becomes of a running daemon, as a process, when its disk is full or its folder is taken away; and of one that starts there.

A disk is made full by the limit on the size of files: every write beyond it fails, as where no space is left, and no rights are needed.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clusters import environment_of, folder_of, start
from tests.e2e.differential import ROOT
from tests.e2e.live import eventually, kctl

pytestmark = pytest.mark.process
WHY = "etcdserver: write failed: disk I/O error"
_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class Foreground:
    """`kctl run-cluster` as in a terminal."""

    def __init__(self, home: Path, *, largest_file: int = resource.RLIM_INFINITY) -> None:
        command = [sys.executable, "-m", "kctl", "run-cluster", "--name", "solo", "--nodes", "1", "--port", "0"]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment_of(home, {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY)),
        )

    def until_ready(self) -> None:
        assert self.process.stdout is not None
        while "is ready" not in (line := self.process.stdout.readline()):
            assert line, self.process.communicate()[1]

    def ended(self) -> tuple[int, str]:
        """By itself: exit code, and what it said on stderr."""
        err = self.process.communicate(timeout=60)[1]
        return self.process.returncode, err


@pytest.fixture
def running(home: Path) -> Iterator[Foreground]:
    made = Foreground(home)
    try:
        made.until_ready()
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.communicate()


def _holder(home: Path) -> int:
    return int(json.loads((folder_of(home, "solo") / "run.pid").read_text())["pid"])


def test_a_daemon_whose_folder_vanishes_stops_and_says_why(home: Path, running: Foreground) -> None:
    folder_of(home, "solo").rename(home / "away")
    code, err = running.ended()
    assert code == 1 and "Traceback" not in err
    assert f"{folder_of(home, 'solo')}/state.db has been removed while the store was open; nothing more can be stored" in err, err
    assert not folder_of(home, "solo").exists(), "it has made something where nothing was"
    (home / "away").rename(folder_of(home, "solo"))
    assert start(home, "solo").returncode == 0
    assert kctl(home, "get", "node", "solo-worker").returncode in (0, 1)


def test_no_second_daemon_lives_beside_one_whose_folder_vanished(home: Path, running: Foreground) -> None:
    folder_of(home, "solo").rename(home / "away")
    started = start(home, "solo", "--port", "0")
    assert running.ended()[0] == 1
    if started.returncode == 0:
        assert _holder(home) != running.process.pid
        assert kctl(home, "create", "configmap", "works").returncode == 0


def test_a_full_disk_refuses_writes_answers_reads_and_takes_writes_again(home: Path, running: Foreground) -> None:
    pid = running.process.pid
    assert kctl(home, "create", "configmap", "kept").returncode == 0
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    refused = kctl(home, "create", "configmap", "lost")
    assert refused.returncode == 1 and refused.stderr == f"error: failed to create configmap: {WHY}\n"
    assert kctl(home, "get", "configmap", "kept", "-o", "name").stdout == "configmap/kept\n"
    assert "NotFound" in kctl(home, "get", "configmap", "lost").stderr
    ready = kctl(home, "get", "--raw", "/readyz")
    assert ready.returncode == 1 and "[-]etcd failed: reason withheld" in ready.stderr, ready
    resource.prlimit(pid, resource.RLIMIT_FSIZE, _UNLIMITED)
    eventually(lambda: kctl(home, "get", "--raw", "/readyz").stdout == "ok", "it finds out that there is space again")
    assert kctl(home, "create", "configmap", "lost").returncode == 0
    assert kctl(home, "cluster", "stop").returncode == 0
    assert running.ended()[0] == 0
    names = kctl(home, "get", "configmap", "-o", "name").stdout.split()
    assert {"configmap/kept", "configmap/lost"} <= set(names)


@pytest.mark.parametrize("largest_file", [0, 3000, 30_000])
def test_a_start_on_a_full_disk_says_so_and_is_repeated_when_there_is_space(home: Path, largest_file: int) -> None:
    code, err = Foreground(home, largest_file=largest_file).ended()
    assert code == 1 and err.startswith("error: ") and "Traceback" not in err, err
    assert str(folder_of(home, "solo")) in err
    assert start(home, "solo", "--port", "0").returncode == 0
    assert kctl(home, "create", "configmap", "works").returncode == 0


def _without_rights(*words: str) -> list[str]:
    """Root may write everywhere, unless it gives that up."""
    command = [sys.executable, "-m", "kctl", *words]
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command] if os.geteuid() == 0 else command


def test_a_daemon_in_a_read_only_folder_says_so_and_changes_nothing(solo: Path) -> None:
    folder = folder_of(solo, "solo")
    before = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    try:
        for one in (folder, *folder.rglob("*")):
            one.chmod(0o500 if one.is_dir() else 0o400)
        command = _without_rights("run-cluster", "--name", "solo")
        done = subprocess.run(command, cwd=ROOT, env=environment_of(solo, {}), capture_output=True, text=True, timeout=60)
    finally:
        for one in (folder, *folder.rglob("*")):
            one.chmod(0o700 if one.is_dir() else 0o600)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"error: {folder}/run.pid: permission denied\n"
    assert {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()} == before
    assert start(solo, "solo").returncode == 0
