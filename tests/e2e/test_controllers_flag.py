"""`kctl run-cluster --controllers`, as kube-controller-manager's flag of that name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.live import eventually, kctl, stop_all

pytestmark = pytest.mark.process


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_all(tmp_path)


def start(home: Path, *more: str) -> tuple[int, str]:
    done = kctl(home, "run-cluster", "--detach", "--name", "test", "--port", "0", "--nodes", "1", *more)
    return done.returncode, done.stderr


def replicas_of(home: Path, kind: str) -> int:
    return len(json.loads(kctl(home, "get", kind, "-o", "json").stdout)["items"])


def test_a_controller_that_is_not_wanted_does_not_run(home: Path) -> None:
    assert start(home, "--controllers", "*,-replicaset-controller")[0] == 0
    assert kctl(home, "create", "deployment", "web", "--image", "nginx", "--replicas", "2").returncode == 0
    eventually(lambda: replicas_of(home, "replicasets") == 1, "the Deployment has a ReplicaSet")
    kctl(home, "cluster", "clock", "step", "1m")
    assert replicas_of(home, "pods") == 0
    kctl(home, "cluster", "stop")
    assert start(home)[0] == 0
    kctl(home, "cluster", "clock", "step", "1m")
    assert replicas_of(home, "pods") == 0, "a setting of the cluster stays"
    kctl(home, "cluster", "stop")
    assert start(home, "--controllers", "*")[0] == 0
    eventually(lambda: replicas_of(home, "pods") == 2, "the ReplicaSet has its pods")


def test_unknown_names_are_refused(home: Path) -> None:
    code, error = start(home, "--controllers", "*,-replica-controller")
    assert code == 1 and error == 'error: invalid --controllers: "replica-controller" is not in the list of known controllers\n'
    code, error = start(home, "--controllers", "*,cloud-node-lifecycle")
    why = "a simulated cluster has no cloud whose machines could be asked about"
    assert code == 1 and error == f'error: invalid --controllers: "cloud-node-lifecycle-controller" does not run here: {why}\n'
    assert not (home / "data" / "kctl" / "test").exists()
