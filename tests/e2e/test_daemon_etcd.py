"""A cluster whose state is on a real etcd: what kubectl and etcdctl see, and what becomes of it when etcd is away or shared."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.etcd_server import Member, members, program
from tests.e2e.clusters import start
from tests.e2e.differential import kubectl_binary
from tests.e2e.live import eventually, kctl, stop_all

pytestmark = [pytest.mark.process, pytest.mark.kubectl]


@pytest.fixture
def member() -> Iterator[Member]:
    with members(1) as (made,):
        yield made


@pytest.fixture
def on_etcd(home: Path, member: Member) -> Iterator[Path]:
    try:
        started = start(home, "solo", "--port", "0", "--store", f"etcd://{member.address}")
        assert started.returncode == 0, started.stderr
        yield home
    finally:
        stop_all(home)


def _kubectl(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kubeconfig = home / "data" / "kctl" / "solo" / "kubeconfig"
    command = [kubectl_binary(), f"--kubeconfig={kubeconfig}", f"--cache-dir={home}/cache", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def _etcdctl(member: Member, *arguments: str) -> str:
    command = [program("etcdctl"), f"--endpoints={member.url}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30, env={"ETCDCTL_API": "3"}).stdout


def test_a_cluster_lives_on_etcd(on_etcd: Path, member: Member) -> None:
    home = on_etcd
    assert _kubectl(home, "create", "deployment", "web", "--image=nginx", "--replicas=2").returncode == 0
    assert _kubectl(home, "rollout", "status", "deployment/web", "--timeout=60s").returncode == 0
    keys = _etcdctl(member, "get", "--prefix", "--keys-only", "/registry/").split()
    assert "/registry/deployments/default/web" in keys and "/registry/minions/solo-control-plane" in keys
    assert sum(key.startswith("/registry/pods/default/web-") for key in keys) == 2
    version = _kubectl(home, "get", "deployment", "web", "-o", "jsonpath={.metadata.resourceVersion}").stdout
    assert f'"ModRevision" : {version}' in _etcdctl(member, "get", "/registry/deployments/default/web", "-w", "fields")

    # Etcd goes away and comes back: writes say why, reads of what is cached go on, nothing is lost.
    member.kill()
    refused = _kubectl(home, "create", "configmap", "early")
    assert refused.returncode == 1 and "etcdserver: " in refused.stderr, refused
    assert "[-]etcd failed" in _kubectl(home, "get", "--raw", "/readyz?verbose").stderr
    member.start()
    member.wait_healthy()
    eventually(lambda: _kubectl(home, "create", "configmap", "late").returncode == 0, "etcd answers again")
    assert _kubectl(home, "get", "--raw", "/readyz").stdout == "ok"

    # Another cluster does not work on the same keys at the same time.
    other = kctl(home, "run-cluster", "--detach", "--name", "other", "--port", "0", "--store", f"etcd://{member.address}")
    assert other.returncode == 1 and "in use by process" in other.stderr, other

    # Stopped, commands open the store themselves; started again, everything is there.
    assert kctl(home, "cluster", "stop", "solo").returncode == 0
    assert "configmap/late" in kctl(home, "get", "configmap", "late", "-o", "name", "--cluster", "solo").stdout
    moved = kctl(home, "run-cluster", "--detach", "--name", "solo", "--store", "")
    assert moved.stderr == 'error: cluster "solo" keeps its state on etcd, and --store does not move it; start another one with --name\n'
    assert start(home, "solo").returncode == 0
    eventually(lambda: _kubectl(home, "get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}").stdout == "2", "it goes on")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ["--store", "http://127.0.0.1:2379"],
            "invalid store 'http://127.0.0.1:2379': must be etcd://HOST:PORT[,HOST:PORT...] or etcds:// for TLS",
        ),
        (["--store", "etcd://127.0.0.1:99999"], "invalid store: member '127.0.0.1:99999': Port out of range 0-65535"),
        (["--etcd-cafile", "ca.crt"], "--etcd-cafile needs --store etcd://HOST:PORT"),
        (["--store", "etcd://a", "--etcd-certfile", "x"], "--etcd-certfile and --etcd-keyfile belong together"),
    ],
)
def test_wrong_settings_are_refused_and_make_nothing(home: Path, words: list[str], why: str) -> None:
    refused = kctl(home, "run-cluster", "--detach", "--name", "solo", *words)
    assert (refused.returncode, refused.stderr) == (1, f"error: {why}\n")
    assert not (home / "data" / "kctl" / "solo").exists()
