"""`kctl run-cluster` and `kctl cluster` as a user meets them: start, start again, stop, go on, delete; and with nothing running."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.differential import ROOT
from tests.e2e.live import eventually, kctl

pytestmark = pytest.mark.process
NGINX = "manifests/examples/nginx.yaml"


def _ready(home: Path, name: str) -> int:
    shown = kctl(home, "get", "deployment", name, "-o", "jsonpath={.status.readyReplicas}")
    return int(shown.stdout or 0)


def test_the_life_of_a_cluster(home: Path) -> None:
    started = kctl(home, "run-cluster", "--detach", "--nodes", "2", "--port", "0")
    assert started.returncode == 0 and "2 nodes" in started.stdout and "export KUBECONFIG=" in started.stdout
    again = kctl(home, "run-cluster", "--port", "0")
    assert again.returncode == 1 and 'cluster "kctl" is already running' in again.stderr
    status = kctl(home, "cluster", "status")
    assert status.returncode == 0 and "Running" in status.stdout
    assert kctl(home, "apply", "-f", NGINX).returncode == 0
    assert kctl(home, "rollout", "status", "deployment/nginx").returncode == 0
    (listed,) = json.loads(kctl(home, "cluster", "list", "-o", "json").stdout)
    assert (listed["name"], listed["status"], listed["nodes"]) == ("kctl", "Running", 2)

    assert kctl(home, "cluster", "stop").stdout == 'cluster "kctl" stopped\n'
    assert kctl(home, "cluster", "stop").stdout == 'cluster "kctl" is not running\n'
    assert kctl(home, "cluster", "status").returncode == 3

    grown = kctl(home, "run-cluster", "--detach", "--nodes", "4", "--port", "0")
    assert grown.returncode == 0, grown.stderr
    eventually(lambda: kctl(home, "get", "nodes").stdout.count(" Ready ") == 4, "four nodes are ready")
    assert _ready(home, "nginx") == 3
    assert kctl(home, "scale", "deployment/nginx", "--replicas=5").returncode == 0
    assert kctl(home, "rollout", "status", "deployment/nginx").returncode == 0
    restarts = "jsonpath={.status.containerStatuses[0].restartCount}"
    shown = kctl(home, "get", "pod", "-n", "kube-system", "etcd-kctl-control-plane", "-o", restarts)
    assert shown.stdout == "1"

    assert kctl(home, "cluster", "delete").stdout == 'cluster "kctl" deleted\n'
    assert not (home / "data" / "kctl" / "kctl").exists()
    assert kctl(home, "cluster", "stop").returncode == 1


def test_ctrl_c_stops_cleanly(home: Path) -> None:
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
    command = [sys.executable, "-m", "kctl", "run-cluster", "--port", "0", "--nodes", "1"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "1 node," in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in out + err
    assert "Stopped" in kctl(home, "cluster", "list").stdout


def test_with_nothing_running_commands_work_and_the_next_start_picks_up(home: Path) -> None:
    assert kctl(home, "run-cluster", "--detach", "--port", "0").returncode == 0
    assert kctl(home, "cluster", "stop").returncode == 0
    applied = kctl(home, "apply", "-f", NGINX)
    assert applied.stdout == "deployment.apps/nginx created\nservice/nginx created\n", applied.stderr
    assert kctl(home, "get", "deployment", "nginx", "-o", "name").stdout == "deployment.apps/nginx\n"
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "kctl", "create", "configmap", name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")},
        )
        for name in ("one", "two")
    ]
    assert sorted(process.communicate(timeout=60)[0] for process in both) == [
        "configmap/one created\n",
        "configmap/two created\n",
    ]
    assert kctl(home, "run-cluster", "--detach", "--port", "0").returncode == 0
    assert kctl(home, "rollout", "status", "deployment/nginx").returncode == 0
    assert _ready(home, "nginx") == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "Not_Valid"], "invalid cluster name 'Not_Valid'"),
        (["--node-cpu", "lots"], "invalid --node-cpu 'lots'"),
        (["--nodes", "0"], "--nodes"),
    ],
    ids=["name", "cpu", "nodes"],
)
def test_bad_settings_are_refused(home: Path, words: list[str], message: str) -> None:
    refused = kctl(home, "run-cluster", *words)
    assert refused.returncode != 0 and message in refused.stderr and "Traceback" not in refused.stderr


def test_a_port_in_use_is_said(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = kctl(home, "run-cluster", "--detach", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 1 and "is already in use" in refused.stderr


def test_node_settings_reach_the_nodes(home: Path) -> None:
    started = kctl(
        home,
        "run-cluster",
        "--detach",
        "--port",
        "0",
        "--nodes",
        "1",
        "--node-cpu",
        "3",
        "--node-memory",
        "5Gi",
        "--node-pods",
        "7",
        "--control-plane-taint",
        "--name",
        "dev",
    )
    assert started.returncode == 0, started.stderr
    capacity = " ".join(f"{{.items[0].status.capacity.{name}}}" for name in ("cpu", "memory", "pods"))
    path = capacity + " {.items[0].spec.taints[0].key}"
    shown = kctl(home, "get", "nodes", "--cluster", "dev", "-o", f"jsonpath={path}")
    assert shown.stdout == "3 5Gi 7 node-role.kubernetes.io/control-plane", shown.stderr


def test_a_deleted_namespace_takes_its_content_along(home: Path) -> None:
    assert kctl(home, "run-cluster", "--detach", "--port", "0").returncode == 0
    assert kctl(home, "create", "namespace", "team").returncode == 0
    assert kctl(home, "apply", "-n", "team", "-f", NGINX).returncode == 0
    assert kctl(home, "rollout", "status", "-n", "team", "deployment/nginx").returncode == 0
    deleted = kctl(home, "delete", "namespace", "team", "--timeout=60s")
    assert deleted.returncode == 0, deleted.stderr
    left = kctl(home, "get", "pods,deployments,services", "-n", "team")
    assert "No resources found" in left.stderr
