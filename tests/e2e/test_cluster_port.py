"""The API server's port stays a cluster's own, so that kubeconfigs that were exported or copied stay right."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.clusters import folder_of, start, with_environment
from tests.e2e.live import eventually, kctl

pytestmark = pytest.mark.process


def _port(home: Path, name: str = "kctl") -> int:
    return int(json.loads((folder_of(home, name) / "cluster.json").read_text())["served_port"])


def _served(home: Path) -> int:
    (row,) = json.loads(kctl(home, "cluster", "list", "-o", "json").stdout)
    return int(row["server"].rsplit(":", 1)[1])


def test_the_port_is_kept_across_stop_and_kill(home: Path) -> None:
    assert start(home, "kctl", "--port", "0").returncode == 0
    first = _served(home)
    exported = home / "exported"
    shutil.copy(folder_of(home, "kctl") / "kubeconfig", exported)
    assert kctl(home, "cluster", "stop").returncode == 0
    assert start(home, "kctl").returncode == 0
    assert _served(home) == _port(home) == first
    (row,) = json.loads(kctl(home, "cluster", "list", "-o", "json").stdout)
    open_connection = socket.create_connection(("127.0.0.1", first))
    os.kill(row["pid"], signal.SIGKILL)
    eventually(lambda: "Stopped" in kctl(home, "cluster", "list").stdout, "the daemon is gone")
    again = start(home, "kctl", "--port", "0")
    open_connection.close()
    assert again.returncode == 0 and again.stderr == "", again.stderr
    assert _served(home) == first
    assert with_environment(home, {"KUBECONFIG": str(exported)}, "get", "nodes").returncode == 0


def test_a_port_that_is_taken_meanwhile_is_said_and_kctl_follows(home: Path) -> None:
    assert start(home, "kctl", "--port", "0").returncode == 0
    first = _served(home)
    exported = home / "exported"
    shutil.copy(folder_of(home, "kctl") / "kubeconfig", exported)
    assert kctl(home, "cluster", "stop").returncode == 0
    with socket.create_server(("127.0.0.1", first)):
        again = start(home, "kctl")
        assert again.returncode == 0
        assert again.stderr.startswith(
            f"Warning: port {first} is taken by another program, so the API server is on port {_served(home)} now"
        )
        for path in (folder_of(home, "kctl") / "kubeconfig", exported):
            assert with_environment(home, {"KUBECONFIG": str(path)}, "get", "nodes", "-o", "name").stdout == "node/kctl-control-plane\n"
        assert kctl(home, "cluster", "stop").returncode == 0
        asked = start(home, "kctl", "--port", str(first))
    assert asked.returncode == 1 and f"port {first} is already in use" in asked.stderr


def test_a_cluster_that_could_not_be_made_leaves_nothing_behind(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for way in ([], ["--detach"]):
            done = kctl(home, "run-cluster", "--port", str(taken.getsockname()[1]), *way)
            assert done.returncode == 1 and "is already in use" in done.stderr
    assert not folder_of(home, "kctl").exists()
    assert "no cluster has been made" in kctl(home, "get", "pods").stderr
