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

from tests.contract.etcd_server import Member, members
from tests.e2e.differential import ROOT
from tests.e2e.live import eventually, kctl, stop_all

pytestmark = pytest.mark.process
QUICK = ("--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms")
COMMANDS = {
    "kube-controller-manager": ("controller-manager", "--use-service-account-credentials", *QUICK),
    "kube-scheduler": ("scheduler", *QUICK),
    "kube-apiserver": ("apiserver", "--cluster-name=test"),
    "kubelet": ("kubelet",),
}
REPLICATED = ("kube-controller-manager", "kube-scheduler")


class Replicas:
    """Processes of components, each with a log. `server`: another one than the kubeconfig says."""

    def __init__(self, home: Path) -> None:
        self.server = ""
        self._home = home
        self._environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHONPATH": str(ROOT)}
        self.running: list[tuple[str, Path, subprocess.Popen[bytes]]] = []

    def start(self, component: str) -> Path:
        """Its log."""
        log = self._home / f"{component}-{len(self.running)}.log"
        kubeconfig = self._home / "data" / "kctl" / "test" / f"{component}.kubeconfig"
        more = [f"--server={self.server}"] if self.server else []
        command = [
            sys.executable,
            "-m",
            "kctl",
            *COMMANDS[component],
            *([f"--kubeconfig={kubeconfig}"] if kubeconfig.exists() else []),
            *more,
        ]
        with log.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self.running.append((component, log, process))
        return log

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
    for component in REPLICATED:
        assert (folder / f"{component}.kubeconfig").stat().st_mode & 0o077 == 0
        replicas.start(component)
        replicas.start(component)
    assert kctl(home, "create", "namespace", "work").returncode == 0
    assert kctl(home, "create", "deployment", "web", "-n", "work", "--image", "nginx", "--replicas", "3").returncode == 0
    try:
        eventually(lambda: ready(home, "work") == 3, "three pods are ready")
        who = {lease["metadata"]["name"]: lease["spec"]["holderIdentity"] for lease in items(home, "leases", "-n", "kube-system")}
        assert set(who) == set(REPLICATED)
        for component in REPLICATED:
            leader = replicas.leader(component)
            leader.kill()
            leader.wait()
        assert kctl(home, "scale", "deployment", "web", "-n", "work", "--replicas", "5").returncode == 0
        eventually(lambda: ready(home, "work") == 5, "five pods are ready")
        now = {lease["metadata"]["name"]: lease["spec"] for lease in items(home, "leases", "-n", "kube-system")}
        assert all(now[name]["leaseTransitions"] == 1 and now[name]["holderIdentity"] != who[name] for name in REPLICATED)
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


def test_two_api_servers_on_one_etcd(home: Path, replicas: Replicas) -> None:
    with members(1) as (member,):
        try:
            _two_api_servers(home, replicas, member)
        finally:
            for _, _, process in replicas.running:  # before their etcd
                process.kill()
                process.wait()
            stop_all(home)


def _two_api_servers(home: Path, replicas: Replicas, member: Member) -> None:
    start = ("run-cluster", "--detach", "--name", "test", "--port", "0")
    shared = ("--store", f"etcd://{member.address}", "--store-shared", "--components", "*,-kube-scheduler")
    done = kctl(home, *start, *shared, "--nodes", "2")
    assert done.returncode == 0, done.stderr
    log = replicas.start("kube-apiserver")
    eventually(lambda: "Serving cluster" in log.read_text(), "the second API server serves")
    replicas.server = log.read_text().split('Serving cluster "test" at ')[1].split()[0]
    scheduling = replicas.start("kube-scheduler")
    kubeconfig = home / "data" / "kctl" / "test" / "kubeconfig"
    other = (f"--kubeconfig={kubeconfig}", f"--server={replicas.server}")
    assert kctl(home, "create", "deployment", "web", "--image", "nginx", "--replicas", "2", *other).returncode == 0
    eventually(lambda: ready(home, "default") == 2, "two pods are ready")
    assert items(home, "pods") == items(home, "pods", *other)

    # Without the cluster's own process its API goes on, and the scheduler with it.
    os.kill(json.loads((home / "data" / "kctl" / "test" / "run.pid").read_text())["pid"], signal.SIGKILL)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    assert kctl(home, "create", "-f", "-", *other, stdin=json.dumps(pod)).returncode == 0
    eventually(lambda: "nodeName" in items(home, "pods", "--field-selector=metadata.name=late", *other)[0]["spec"], "the pod has a node")
    assert kctl(home, *start).returncode == 0, "it comes back beside the other one"
    eventually(lambda: ready(home, "default") == 3, f"three pods are ready\n{scheduling.read_text()[-500:]}")
    assert replicas.end() == [0, 0], replicas.logs()


def test_kubelets_apart(home: Path, replicas: Replicas) -> None:
    start = ("run-cluster", "--detach", "--name", "test", "--port", "0", "--nodes", "2")
    assert kctl(home, *start).returncode == 0
    done = kctl(home, "kubelet")
    assert (done.returncode, done.stderr.split(":")[1]) == (1, ' cluster "test" runs its kubelets itself')
    kctl(home, "cluster", "stop")
    assert kctl(home, *start, "--components", "*,-kubelet").returncode == 0
    replicas.start("kubelet")
    assert kctl(home, "create", "deployment", "web", "--image", "nginx", "--replicas", "2").returncode == 0
    eventually(lambda: ready(home, "default") == 2, "two pods are ready")
    done = kctl(home, "logs", "deployment/web")
    assert done.returncode == 1 and "cannot be reached: no kubelets run with this server" in done.stderr
    assert replicas.end() == [0], replicas.logs()


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
        (("apiserver", "--secure-port=70000"), "error: invalid --secure-port 70000: it must be between 0 and 65535"),
        (("scheduler", "now"), "error: kctl scheduler takes no arguments, but some were given: now"),
    ):
        done = kctl(home, *words, "--server", "https://127.0.0.1:1")
        assert (done.returncode, done.stderr.strip()) == (1, says)
