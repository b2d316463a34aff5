"""`kctl store` on a real cluster: what it tells, what it refuses, and a cluster that moves to etcd and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.etcd_server import members
from tests.e2e.clusters import folder_of, start
from tests.e2e.live import eventually, kctl, stop_all

pytestmark = pytest.mark.process


@pytest.fixture
def stopped_cluster(home: Path) -> Iterator[Path]:
    """With a Deployment that has been ready."""
    try:
        assert start(home, "solo", "--port", "0").returncode == 0
        assert kctl(home, "create", "deployment", "web", "--image=nginx").returncode == 0
        assert kctl(home, "rollout", "status", "deployment/web").returncode == 0
        assert kctl(home, "cluster", "stop", "solo").returncode == 0
        yield home
    finally:
        stop_all(home)


def _state(home: Path) -> dict[str, str]:
    """All objects of some types, without what a move may change."""
    found = json.loads(kctl(home, "get", "deployments,replicasets,pods,secrets,configmaps,nodes,clusterroles", "-A", "-o", "json").stdout)
    for item in found["items"]:
        del item["metadata"]["resourceVersion"]
    return {item["metadata"]["uid"]: json.dumps(item, sort_keys=True) for item in found["items"]}


def test_looking_over_and_putting_in_order(stopped_cluster: Path) -> None:
    home = stopped_cluster
    checked = kctl(home, "store", "check")
    assert (checked.returncode, checked.stderr) == (0, ""), checked
    assert checked.stdout.startswith("objects:  ") and "compacted to:      0\n" in checked.stdout
    compacted = kctl(home, "store", "compact")
    assert compacted.returncode == 0 and compacted.stdout.endswith(" (before: 0)\n"), compacted
    assert kctl(home, "store", "compact").stdout == compacted.stdout.replace("(before: 0)", "(before: " + compacted.stdout.split()[3] + ")")
    assert kctl(home, "store", "defrag").stdout.startswith(f"{folder_of(home, 'solo')}/state.db ")
    copied = kctl(home, "store", "snapshot", str(home / "copy.db"))
    assert copied.stdout == f'{home}/copy.db holds the state of cluster "solo"\n'
    assert kctl(home, "store", "snapshot", str(home / "copy.db")).stderr == f"error: {home}/copy.db is there already\n"
    connection = sqlite3.connect(folder_of(home, "solo") / "state.db")
    connection.execute("UPDATE log SET value = 'nonsense' WHERE key = '/registry/apps/deployments/default/web'")
    connection.commit()
    connection.close()
    broken = kctl(home, "store", "check")
    assert broken.returncode == 1 and "error: /registry/apps/deployments/default/web: " in broken.stderr, broken
    (home / "copy.db").rename(folder_of(home, "solo") / "state.db")
    assert kctl(home, "store", "check").returncode == 0
    assert kctl(home, "get", "deployment", "web", "-o", "name").stdout == "deployment.apps/web\n"


def test_a_running_cluster_is_left_alone(stopped_cluster: Path) -> None:
    home = stopped_cluster
    assert start(home, "solo").returncode == 0
    for words in (("check",), ("compact",), ("defrag",), ("migrate", "sqlite", "etcd://127.0.0.1:1")):
        refused = kctl(home, "store", *words)
        assert refused.returncode == 1 and refused.stderr.endswith("stop it first: kctl cluster stop solo\n"), refused
    assert kctl(home, "store", "snapshot", str(home / "copy.db")).returncode == 0


def test_a_cluster_moves_to_etcd_and_back(stopped_cluster: Path) -> None:
    home = stopped_cluster
    before = _state(home)
    with members(1) as (member,):
        address = f"etcd://{member.address}"
        wrong = kctl(home, "store", "migrate", address, "sqlite")
        assert wrong.stderr == f'error: cluster "solo" keeps its state in sqlite, not in {address}\n'
        assert kctl(home, "store", "migrate", "sqlite", "sqlite").stderr.startswith("error: a cluster is moved between sqlite and etcd")
        moved = kctl(home, "store", "migrate", "sqlite", address)
        assert moved.returncode == 0 and moved.stdout.startswith(f'cluster "solo" keeps its state in {address} now: '), moved
        assert _state(home) == before
        assert "keeps its state on etcd" in kctl(home, "store", "check").stderr
        assert start(home, "solo").returncode == 0
        assert kctl(home, "scale", "deployment", "web", "--replicas=3").returncode == 0
        eventually(
            lambda: kctl(home, "get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}").stdout == "3", "it goes on on etcd"
        )
        assert kctl(home, "cluster", "stop", "solo").returncode == 0
        between = _state(home)
        back = kctl(home, "store", "migrate", address, "sqlite")
        assert back.returncode == 0, back
    assert _state(home) == between
    assert kctl(home, "store", "check").returncode == 0
    assert start(home, "solo").returncode == 0
    assert kctl(home, "get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}").stdout == "3"
    assert kctl(home, "cluster", "delete", "solo").returncode == 0
    assert not folder_of(home, "solo").exists()
