"""Simulated nodes fail, recover, vanish and come back, in a cluster of its own process, as `kctl cluster node` says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.live import eventually, kctl, stop_all

pytestmark = pytest.mark.process
QUICK = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
    for key in ("not-ready", "unreachable")
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    started = kctl(tmp_path, "run-cluster", "--detach", "--name", "test", "--port", "0")
    try:
        assert started.returncode == 0, started.stderr
        yield tmp_path
    finally:
        stop_all(tmp_path)


def run(home: Path, *words: str, stdin: str = "") -> str:
    done = kctl(home, *words, "--kubeconfig", str(home / "data" / "kctl" / "test" / "kubeconfig"), stdin=stdin)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def node(home: Path, *words: str) -> str:
    done = kctl(home, "cluster", "node", *words)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def ready(home: Path, name: str) -> str:
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    return run(home, "get", "node", name, "-o", f"jsonpath={path}")


def running_on(home: Path) -> list[str]:
    """The nodes of the pods that run."""
    pods: list[dict[str, Any]] = json.loads(run(home, "get", "pods", "-o", "json"))["items"]
    return sorted(
        pod["spec"]["nodeName"] for pod in pods if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    )


def test_pods_leave_a_node_that_fails_and_it_comes_back(home: Path) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}], "tolerations": QUICK}}
    spec = {"replicas": 6, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    run(
        home,
        "apply",
        "-f",
        "-",
        stdin=json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}),
    )
    victim = "test-worker-1"
    eventually(lambda: len(running_on(home)) == 6 and victim in running_on(home), "all pods run, some of them on the victim")
    assert node(home, "fail", "--not-ready", victim) == f"node/{victim} not ready\n"
    eventually(lambda: ready(home, victim) == "False", "the node is not ready")
    eventually(lambda: len(running_on(home)) == 6 and victim not in running_on(home), "its pods run elsewhere")
    assert node(home, "recover", victim) == f"node/{victim} recovered\n"
    eventually(lambda: ready(home, victim) == "True", "the node is ready again")
    assert node(home, "remove", victim) == f"node/{victim} removed\n"
    assert victim not in run(home, "get", "nodes", "-o", "name")
    node(home, "recover", victim)
    eventually(lambda: ready(home, victim) == "True", "the node is back")


def test_a_dead_node_stays_dead_over_a_restart(home: Path) -> None:
    victim = "test-worker-2"
    node(home, "fail", victim)
    assert kctl(home, "cluster", "stop", "test").returncode == 0
    again = kctl(home, "run-cluster", "--detach", "--name", "test")
    assert again.returncode == 0, again.stderr
    annotation = run(home, "get", "node", victim, "-o", r"jsonpath={.metadata.annotations.kctl\.dev/kubelet}")
    assert annotation == "stopped"
    node(home, "recover", victim)
    eventually(lambda: ready(home, victim) == "True", "the node is ready again")


def test_what_nobody_understands_is_warned_of(home: Path) -> None:
    done = kctl(home, "cluster", "node", "slow", "test-worker-1", "--delay", "soon")
    assert done.returncode == 0
    assert "Warning: metadata.annotations[kctl.dev/start-delay]: " in done.stderr
    missing = kctl(home, "cluster", "node", "fail", "nobody")
    assert (missing.returncode, missing.stderr) == (1, 'Error from server (NotFound): nodes "nobody" not found\n')
