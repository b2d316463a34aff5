"""kube-controller-manager and kube-scheduler as processes of their own, two of each, whose leaders are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.differential import ROOT
from tests.e2e.live import eventually, kctl, stop_all

pytestmark = pytest.mark.process
QUICK = ("--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms")
COMMANDS = {
    "kube-controller-manager": ("controller-manager", "--use-service-account-credentials", *QUICK),
    "kube-scheduler": ("scheduler", *QUICK),
}


class Replicas:
    """Processes of components, each with a log."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHONPATH": str(ROOT)}
        self.running: list[tuple[str, Path, subprocess.Popen[bytes]]] = []

    def start(self, component: str) -> None:
        log = self._home / f"{component}-{len(self.running)}.log"
        kubeconfig = self._home / "data" / "kctl" / "test" / f"{component}.kubeconfig"
        command = [sys.executable, "-m", "kctl", *COMMANDS[component], f"--kubeconfig={kubeconfig}"]
        with log.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stderr=file)
        self.running.append((component, log, process))

    def leader(self, component: str) -> subprocess.Popen[bytes]:
        acting = [process for name, log, process in self.running if name == component and " acts\n" in log.read_text()]
        return next(process for process in acting if process.poll() is None)

    def logs(self) -> str:
        return "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for _, log, _ in self.running)

    def end(self) -> list[int]:
        alive = [process for _, _, process in self.running if process.poll() is None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        return [process.wait(30) for process in alive]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_all(tmp_path)


@pytest.fixture
def replicas(home: Path) -> Iterator[Replicas]:
    made = Replicas(home)
    yield made
    for _, _, process in made.running:
        process.kill()
        process.wait()


def items(home: Path, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kctl(home, "get", *words, "-o", "json").stdout)["items"]
    return found


def ready(home: Path, namespace: str) -> int:
    pods = items(home, "pods", "-n", namespace)
    return sum(
        {"type": "Ready", "status": "True"}.items() <= condition.items()
        for pod in pods
        for condition in pod["status"].get("conditions", ())
    )


def test_leaders_are_killed_and_the_work_goes_on(home: Path, replicas: Replicas) -> None:
    start = ("run-cluster", "--detach", "--name", "test", "--port", "0", "--nodes", "2")
    done = kctl(home, *start, "--components", "*,-kube-scheduler,-kube-controller-manager")
    folder = home / "data" / "kctl" / "test"
    assert done.returncode == 0 and "kube-scheduler does not run in this cluster" in done.stderr, done.stderr
    for component in COMMANDS:
        assert (folder / f"{component}.kubeconfig").stat().st_mode & 0o077 == 0
        replicas.start(component)
        replicas.start(component)
    assert kctl(home, "create", "namespace", "work").returncode == 0
    assert kctl(home, "create", "deployment", "web", "-n", "work", "--image", "nginx", "--replicas", "3").returncode == 0
    try:
        eventually(lambda: ready(home, "work") == 3, "three pods are ready")
        who = {lease["metadata"]["name"]: lease["spec"]["holderIdentity"] for lease in items(home, "leases", "-n", "kube-system")}
        assert set(who) == set(COMMANDS)
        for component in COMMANDS:
            leader = replicas.leader(component)
            leader.kill()
            leader.wait()
        assert kctl(home, "scale", "deployment", "web", "-n", "work", "--replicas", "5").returncode == 0
        eventually(lambda: ready(home, "work") == 5, "five pods are ready")
        now = {lease["metadata"]["name"]: lease["spec"] for lease in items(home, "leases", "-n", "kube-system")}
        assert all(now[name]["leaseTransitions"] == 1 and now[name]["holderIdentity"] != who[name] for name in COMMANDS)
        [web] = items(home, "deployments", "-n", "work", "--show-managed-fields")
        assert "kube-controller-manager" in {entry["manager"] for entry in web["metadata"]["managedFields"]}
        assert kctl(home, "delete", "namespace", "work").returncode == 0
        assert replicas.end() == [0, 0], replicas.logs()
    except AssertionError:
        print(replicas.logs())
        raise
    assert [pod["metadata"]["name"] for pod in items(home, "pods", "-n", "kube-system")] == [
        "etcd-test-control-plane",
        "kube-apiserver-test-control-plane",
    ]
    kctl(home, "cluster", "stop")
    assert kctl(home, *start, "--components", "*").returncode == 0
    assert not (folder / "kube-scheduler.kubeconfig").exists()
    names = [pod["metadata"]["name"].removesuffix("-test-control-plane") for pod in items(home, "pods", "-n", "kube-system")]
    assert names == ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]


def test_refusals(home: Path) -> None:
    done = kctl(home, "run-cluster", "--name", "test", "--components", "*,-kube-proxy")
    assert done.returncode == 1
    assert done.stderr == 'error: invalid --components: "kube-proxy" is none of kube-controller-manager, kube-scheduler, kubelet\n'
    for words, says in (
        (("scheduler", "--leader-elect-lease-duration=5s"), "error: leaseDuration must be greater than renewDeadline"),
        (
            ("controller-manager", "--controllers=nothing"),
            'error: invalid --controllers: "nothing" is not in the list of known controllers',
        ),
        (("controller-manager", "--cluster-cidr=10.0.0.0/33"), "error: invalid --cluster-cidr: invalid CIDR address: 10.0.0.0/33"),
        (("controller-manager", "--root-ca-file=/nowhere"), "error: --root-ca-file: open /nowhere: no such file or directory"),
        (("scheduler", "now"), "error: kctl scheduler takes no arguments, but some were given: now"),
    ):
        done = kctl(home, *words, "--server", "https://127.0.0.1:1")
        assert (done.returncode, done.stderr.strip()) == (1, says)
