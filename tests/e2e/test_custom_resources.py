"""Custom resources with clients that know nothing of us: the real kubectl beside kctl, the official client's dynamic client, and what the
controllers of a whole cluster do with kinds nobody compiled in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.live import LivePair, eventually, live

__all__ = ["live"]
pytestmark = [pytest.mark.process, pytest.mark.kubectl]
CRONTABS = Path(__file__).parent / "manifests" / "crontabs.yaml"


@pytest.fixture(scope="module")
def crontabs(live: LivePair) -> Iterator[LivePair]:
    """A cluster in which CronTabs are defined."""
    assert (
        live.kubectl("apply", "-f", str(CRONTABS)).out
        == "customresourcedefinition.apiextensions.k8s.io/crontabs.stable.example.com created\n"
    )
    assert live.kubectl("wait", "--for=condition=Established", "crd/crontabs.stable.example.com", "--timeout=20s").code == 0
    yield live


def _manifest(tmp_path: Path, name: str, **spec: Any) -> str:
    obj = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": name}, "spec": spec}
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(obj))
    return str(path)


def test_both_programs_know_the_kind(crontabs: LivePair, tmp_path: Path) -> None:
    assert crontabs.kubectl("create", "-f", _manifest(tmp_path, "one", cronSpec="* * * * *", image="x")).code == 0
    for words in (
        ("get", "crontabs", "one", "-o", "jsonpath={.spec}"),
        ("get", "ct", "--no-headers", "-o", "custom-columns=N:.metadata.name,R:.spec.replicas"),
        ("get", "ct", "one", "-o", "name"),
        ("api-resources", "--api-group=stable.example.com"),
        ("api-resources", "--categories=toys"),
        ("explain", "crontab.spec"),
        ("explain", "ct", "--recursive"),
        ("explain", "crontabs.spec.cronSpec"),
    ):
        crontabs.agree(*words)
    table = crontabs.kubectl("get", "ct", "-o", "wide").out.splitlines()
    assert table[0].split() == ["NAME", "SPEC", "REPLICAS", "IMAGE", "AGE"]
    assert table[1].split()[:2] == ["one", "*"] and table[1].split()[-2] == "x"
    assert "crontab.stable.example.com/one" in crontabs.kubectl("get", "toys", "-o", "name").out


def test_writing_is_the_same_with_both(crontabs: LivePair, tmp_path: Path) -> None:
    for name in ("left", "right"):
        assert crontabs.kubectl("apply", "-f", _manifest(tmp_path, name, cronSpec="* * * * *", replicas=2)).code == 0
    for words in (
        ("patch", "ct", "{name}", "--type=merge", "-p", '{"spec":{"replicas":4}}'),
        ("patch", "ct", "{name}", "--type=json", "-p", '[{"op":"remove","path":"/spec/replicas"}]'),
        ("patch", "ct", "{name}", "--type=merge", "-p", '{"spec":{"replicas":40}}'),
        ("patch", "ct", "{name}", "--type=merge", "-p", '{"spec":{"cronSpec":"never"}}'),
        ("label", "ct", "{name}", "a=b"),
        ("annotate", "ct", "{name}", "a=b"),
        ("scale", "ct", "{name}", "--replicas=3"),
        ("get", "ct", "{name}", "-o", "jsonpath={.spec.replicas} {.metadata.generation}"),
        ("delete", "ct", "{name}"),
        ("get", "ct", "{name}"),
    ):
        crontabs.twins(*words)


def test_a_strict_client_is_told_of_unknown_fields(crontabs: LivePair, tmp_path: Path) -> None:
    refused = crontabs.kubectl("create", "-f", _manifest(tmp_path, "junk", cronSpec="* * * * *", junk=1))
    assert refused.code == 1
    assert 'strict decoding error: unknown field "spec.junk"' in refused.err


def test_the_dynamic_client_finds_and_writes_them(crontabs: LivePair) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    from kubernetes import dynamic

    api = kubernetes.config.new_client_from_config(str(crontabs.kubeconfig))
    try:
        resource = dynamic.DynamicClient(api).resources.get(api_version="stable.example.com/v1", kind="CronTab")
        body = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "dyn"}, "spec": {"cronSpec": "* * * * *"}}
        made = resource.create(body=body, namespace="default")
        assert made.spec.replicas == 1
        seen = [event["type"] for event in resource.watch(namespace="default", name="dyn", timeout=1)]
        assert seen == ["ADDED"]
        resource.patch(body={"spec": {"image": "y"}}, name="dyn", namespace="default", content_type="application/merge-patch+json")
        patched = resource.status.patch(
            body={"status": {"replicas": 1}}, name="dyn", namespace="default", content_type="application/merge-patch+json"
        )
        assert (patched.spec.image, patched.status.replicas) == ("y", 1)
        resource.delete(name="dyn", namespace="default")
    finally:
        api.close()


def test_the_garbage_collector_and_the_namespace_controller_see_them(crontabs: LivePair, tmp_path: Path) -> None:
    assert crontabs.kubectl("create", "-f", _manifest(tmp_path, "owner", cronSpec="* * * * *")).code == 0
    uid = crontabs.kubectl("get", "ct", "owner", "-o", "jsonpath={.metadata.uid}").out
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "owned",
            "ownerReferences": [{"apiVersion": "stable.example.com/v1", "kind": "CronTab", "name": "owner", "uid": uid}],
        },
    }
    (tmp_path / "owned.json").write_text(json.dumps(owned))
    assert crontabs.kubectl("create", "-f", str(tmp_path / "owned.json")).code == 0
    assert crontabs.kubectl("delete", "ct", "owner").code == 0
    eventually(lambda: crontabs.kubectl("get", "configmap", "owned").code == 1, "what a custom resource owned goes with it")
    assert crontabs.kubectl("create", "namespace", "brief").code == 0
    assert crontabs.kubectl("create", "-n", "brief", "-f", _manifest(tmp_path, "inside", cronSpec="* * * * *")).code == 0
    assert crontabs.kubectl("delete", "namespace", "brief", "--timeout=30s").code == 0
    assert crontabs.kubectl("get", "ct", "-A", "-o", "name").out.find("inside") == -1


def test_deleting_the_definition_takes_everything_along(crontabs: LivePair, tmp_path: Path) -> None:
    assert crontabs.kubectl("create", "-f", _manifest(tmp_path, "last", cronSpec="* * * * *")).code == 0
    assert crontabs.kubectl("delete", "crd", "crontabs.stable.example.com", "--timeout=30s").code == 0
    gone = crontabs.kubectl("get", "crontabs")
    assert (gone.code == 1 and "the server doesn't have a resource type" in gone.err) or "NotFound" in gone.err
    assert crontabs.kubectl("get", "crd", "-o", "name").out == ""
