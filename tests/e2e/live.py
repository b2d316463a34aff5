"""A whole cluster as a process of its own, for tests that need controllers, scheduler and kubelets behind kctl and kubectl."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.differential import ROOT, Outcome, Pair, difference, kubectl_binary

DEADLINE_SECONDS = 60.0


def kctl(home: Path, *words: str, stdin: str = "", timeout: float = DEADLINE_SECONDS) -> subprocess.CompletedProcess[str]:
    """`kctl` as a process with a home of its own and no kubeconfig in its environment."""
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHONPATH": str(ROOT)}
    environment.pop("KUBECONFIG", None)
    command = [sys.executable, "-m", "kctl", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, timeout=timeout)


def eventually(check: Callable[[], bool], what: str) -> None:
    """Until `check` holds; a test fails with `what` after a minute."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not check():
        assert time.monotonic() < deadline, f"it did not come true that {what}"
        time.sleep(0.05)


def stop_all(home: Path) -> None:
    """Whatever still runs in this home is killed: nothing is left behind, even by a failing test."""
    for lock in (home / "data" / "kctl").glob("*/run.pid"):
        name = lock.parent.name
        if kctl(home, "cluster", "stop", name).returncode != 0:
            text = lock.read_text().strip()
            if text.startswith("{"):
                import json

                os.kill(int(json.loads(text)["pid"]), signal.SIGKILL)


class LivePair(Pair):
    def twins(self, *words: str) -> None:
        """A changing command on two equal objects: kctl's is named left, kubectl's right. `{name}` stands for the name."""
        actual = self.kctl(*(word.replace("{name}", "left") for word in words))
        expected = self.kubectl(*(word.replace("{name}", "right") for word in words))
        same = Outcome(expected.code, expected.out.replace("right", "left"), expected.err.replace("right", "left"))
        if actual != same:
            pytest.fail(difference(words, same, actual), pytrace=False)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePair]:
    """Three nodes, both programs pointed at them."""
    home = tmp_path_factory.mktemp("live")
    kubectl_binary()
    started = kctl(home, "run-cluster", "--detach", "--name", "test", "--port", "0")
    try:
        assert started.returncode == 0, started.stderr
        yield LivePair(home / "data" / "kctl" / "test" / "kubeconfig", home)
    finally:
        stop_all(home)
