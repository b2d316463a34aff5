"""Unmodified programs of other people against a whole cluster: helm with a chart, an operator written with kopf, the informers of
@kubernetes/client-node. .ci/run installs helm and the npm package; where they are missing their tests are skipped."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.live import LivePair, eventually, live

__all__ = ["live"]
pytestmark = [pytest.mark.process, pytest.mark.kubectl]
HERE = Path(__file__).parent


def environment(live: LivePair) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(live.kubeconfig), "HOME": str(live.home)}


def ask(live: LivePair, *words: str) -> Any:
    """What `kubectl get ... -o json` says."""
    done = live.kubectl("get", *words, "-o", "json", "--ignore-not-found")
    assert done.code == 0, done.err
    return json.loads(done.out) if done.out.strip() else None


def has_node_package() -> bool:
    if shutil.which("node") is None:
        return False
    done = subprocess.run(["node", "-e", "require.resolve('@kubernetes/client-node')"], capture_output=True)
    return done.returncode == 0


@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not installed")
def test_helm_installs_upgrades_tests_and_takes_back_a_chart(live: LivePair) -> None:
    def helm(*words: str) -> str:
        done = subprocess.run(["helm", *words], env=environment(live), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    chart = str(HERE / "charts" / "shop")
    out = helm("install", "red", chart, "--wait", "--timeout", "60s")
    assert "STATUS: deployed" in out
    assert ask(live, "deployment", "red-web")["status"]["availableReplicas"] == 2
    assert ask(live, "configmap", "red-cache")["data"] == {"size": "1Gi"}
    assert ask(live, "offers", "red-today")["spec"] == {"price": 5}
    assert ask(live, "job", "red-migrate") is None
    assert "Phase:          Succeeded" in helm("test", "red", "--timeout", "60s")
    helm("upgrade", "red", chart, "--set", "replicas=3,cache.size=5Gi", "--wait", "--timeout", "60s")
    assert ask(live, "deployment", "red-web")["status"]["availableReplicas"] == 3
    helm("rollback", "red", "1", "--wait", "--timeout", "60s")
    eventually(lambda: ask(live, "deployment", "red-web")["status"].get("replicas") == 2, "two pods are left")
    assert ask(live, "configmap", "red-cache")["data"] == {"size": "1Gi"}
    history = json.loads(helm("history", "red", "-o", "json"))
    assert [(each["revision"], each["status"]) for each in history] == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    refused = subprocess.run(
        ["helm", "upgrade", "red", chart, "--set", "replicas=-1"], env=environment(live), capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 1 and "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in refused.stderr
    helm("uninstall", "red", "--wait", "--timeout", "60s")
    assert ask(live, "deployment", "red-web") is None and ask(live, "offers", "red-today") is None


@contextlib.contextmanager
def operator(live: LivePair, log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "kopf", "run", "--namespace=default", "--standalone", str(HERE / "kopf_operator.py")]
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment(live), stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.skipif(importlib.util.find_spec("kopf") is None, reason="kopf is not installed")
def test_an_operator_of_kopf(live: LivePair, tmp_path: Path) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gauges.kopf.example.com"},
        "spec": {"group": "kopf.example.com", "scope": "Namespaced", "names": {"plural": "gauges", "kind": "Gauge"}, "versions": [version]},
    }
    gauge = {"apiVersion": "kopf.example.com/v1", "kind": "Gauge", "metadata": {"name": "g"}, "spec": {"target": 3}}
    assert live.kubectl("create", "-f", "-", stdin=json.dumps(definition)).code == 0
    log = tmp_path / "operator.log"
    with operator(live, log):
        assert live.kubectl("create", "-f", "-", stdin=json.dumps(gauge)).code == 0
        why = f"the operator has answered; see {log}"
        eventually(lambda: "created" in (ask(live, "gauges", "g").get("status") or {}), why)
        made = ask(live, "gauges", "g")
        assert made["metadata"]["finalizers"] == ["kopf.example.com/let-go"]
        assert made["status"]["created"] == {"configMap": "g-target"}
        owned = ask(live, "configmap", "g-target")
        assert owned["data"] == {"target": "3"} and owned["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        assert live.kubectl("patch", "gauges", "g", "--type=merge", "-p", '{"spec":{"target":7}}').code == 0
        eventually(lambda: (ask(live, "gauges", "g").get("status") or {}).get("target") == 7, why)
        assert ask(live, "configmap", "g-target")["data"] == {"target": "7"}
        assert live.kubectl("delete", "gauges", "g", "--wait=true", "--timeout=30s").code == 0
        assert ask(live, "configmap", "g-gone") is not None
    eventually(lambda: ask(live, "configmap", "g-target") is None, "what it owned is collected")


@pytest.mark.skipif(not has_node_package(), reason="node or @kubernetes/client-node is not installed")
def test_an_informer_of_client_node(live: LivePair) -> None:
    done = subprocess.run(["node", str(HERE / "informer.mjs")], env=environment(live), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stdout.splitlines() == ["add first 1", "add second 1", "update second 2", "delete first 1"]
