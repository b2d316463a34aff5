"""kctl cluster snapshot, with a real daemon: saved while it runs, restored when it is stopped, forked into another cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clusters import start
from tests.e2e.live import kctl

pytestmark = pytest.mark.process


def test_a_cluster_is_saved_restored_and_forked(home: Path) -> None:
    assert start(home, "one").returncode == 0
    kctl(home, "create", "configmap", "before")
    saved = kctl(home, "cluster", "snapshot", "save", "first")
    assert (saved.returncode, saved.stdout.partition(" (")[0]) == (0, 'snapshot "first" of cluster "one" saved')
    kctl(home, "create", "configmap", "after")
    again = kctl(home, "cluster", "snapshot", "save", "first")
    assert again.returncode == 1 and "has a snapshot 'first' already" in again.stderr
    running = kctl(home, "cluster", "snapshot", "restore", "first")
    assert running.returncode == 1 and "stop it first: kctl cluster stop one" in running.stderr

    forked = kctl(home, "cluster", "snapshot", "fork", "first", "two")
    assert forked.stdout == 'cluster "two" made of snapshot "first" of "one"; start it with: kctl run-cluster --name two\n'
    kctl(home, "cluster", "stop", "one")
    assert kctl(home, "cluster", "snapshot", "restore", "first").returncode == 0
    for cluster in ("one", "two"):  # stopped: their stores are opened by the command
        names = kctl(home, "get", "configmaps", "-n", "default", "-o", "name", "--cluster", cluster).stdout.split()
        assert "configmap/before" in names and "configmap/after" not in names
    assert kctl(home, "run-cluster", "--detach", "--name", "two").returncode == 0
    assert kctl(home, "get", "nodes", "-o", "name", "--cluster", "two").stdout == "node/one-control-plane\n"
    assert kctl(home, "wait", "--for=condition=Ready", "node/one-control-plane", "--timeout=60s", "--cluster", "two").returncode == 0

    for cluster in ("one", "two"):
        assert kctl(home, "cluster", "delete", cluster).returncode == 0
    assert kctl(home, "cluster", "snapshot", "list", "-o", "name").stdout == "one/first\n"
    assert kctl(home, "cluster", "snapshot", "restore", "first", "--of", "one").returncode == 0
    assert "configmap/before" in kctl(home, "get", "configmaps", "-n", "default", "-o", "name", "--cluster", "one").stdout
    assert kctl(home, "cluster", "snapshot", "delete", "first", "--of", "one").returncode == 0
    assert kctl(home, "cluster", "snapshot", "list", "-o", "name").stdout == ""


def test_snapshots_that_are_not_there_or_cannot_be_called_that(home: Path) -> None:
    assert kctl(home, "create", "configmap", "x").returncode == 1
    for words in (("restore", "nope"), ("fork", "nope", "two"), ("delete", "nope")):
        done = kctl(home, "cluster", "snapshot", *words, "--of", "one")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "error: cluster 'one' has no snapshot 'nope' (there are: none)\n"
    bad = kctl(home, "cluster", "snapshot", "delete", "../x", "--of", "one")
    assert (bad.returncode, bad.stdout) == (1, "") and "invalid snapshot name '../x'" in bad.stderr
