"""The official Python client against a whole cluster: it must not be able to tell it from Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.live import LivePair, eventually, live

__all__ = ["live"]
pytestmark = [pytest.mark.process, pytest.mark.kubectl]
kubernetes = pytest.importorskip("kubernetes")


@pytest.fixture(scope="module")
def api(live: LivePair) -> Iterator[Any]:
    client = kubernetes.config.new_client_from_config(str(live.kubeconfig))
    yield client
    client.close()


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "web", "image": "nginx:1.27"}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def test_versions_and_nodes(api: Any) -> None:
    assert kubernetes.client.VersionApi(api).get_code().minor.startswith("37")
    nodes = kubernetes.client.CoreV1Api(api).list_node().items
    assert len(nodes) == 3
    assert all(c.status == "True" for node in nodes for c in node.status.conditions if c.type == "Ready")


def test_a_deployment_from_create_to_delete(api: Any) -> None:
    apps, core = kubernetes.client.AppsV1Api(api), kubernetes.client.CoreV1Api(api)
    apps.create_namespaced_deployment("default", _deployment("typed"))
    eventually(
        lambda: apps.read_namespaced_deployment_status("typed", "default").status.ready_replicas == 2,
        "two pods are ready",
    )
    apps.patch_namespaced_deployment_scale("typed", "default", {"spec": {"replicas": 3}})
    assert apps.read_namespaced_deployment_scale("typed", "default").spec.replicas == 3
    eventually(lambda: len(core.list_namespaced_pod("default", label_selector="app=typed").items) == 3, "there are three pods")
    pod = core.list_namespaced_pod("default", label_selector="app=typed", limit=1)
    assert pod.metadata._continue and pod.metadata.remaining_item_count is None  # unknown where a selector is used
    assert isinstance(core.read_namespaced_pod_log(pod.items[0].metadata.name, "default"), str)
    apps.delete_namespaced_deployment("typed", "default", propagation_policy="Foreground")
    eventually(lambda: not core.list_namespaced_pod("default", label_selector="app=typed").items, "its pods are gone with it")


def test_a_watch_brings_what_happens(api: Any) -> None:
    core = kubernetes.client.CoreV1Api(api)
    watch = kubernetes.watch.Watch()
    version = core.list_namespaced_config_map("default").metadata.resource_version
    core.create_namespaced_config_map("default", {"metadata": {"name": "seen"}, "data": {"a": "1"}})
    core.patch_namespaced_config_map("seen", "default", {"data": {"a": "2"}})
    core.delete_namespaced_config_map("seen", "default")
    seen = []
    for event in watch.stream(core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=30):
        if event["object"].metadata.name == "seen":
            seen.append((event["type"], event["object"].data["a"]))
        if len(seen) == 3:
            break
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


def test_errors_are_the_api_servers(api: Any) -> None:
    core = kubernetes.client.CoreV1Api(api)
    with pytest.raises(kubernetes.client.ApiException) as missing:
        core.read_namespaced_pod("nope", "default")
    assert missing.value.status == 404 and 'pods \\"nope\\" not found' in missing.value.body
    with pytest.raises(kubernetes.client.ApiException) as invalid:
        core.create_namespaced_config_map("default", {"metadata": {"name": "Not_Valid"}})
    assert invalid.value.status == 422 and "RFC 1123 subdomain" in invalid.value.body


def test_the_dynamic_client_finds_kinds_by_discovery(api: Any) -> None:
    dynamic = kubernetes.dynamic.DynamicClient(api)
    services = dynamic.resources.get(api_version="v1", kind="Service")
    assert services.get(name="kubernetes", namespace="default").spec.clusterIP == "10.96.0.1"
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    made = deployments.create(body=_deployment("dynamic"), namespace="default")
    assert made.metadata.generation == 1
    deployments.delete(name="dynamic", namespace="default")


def test_one_of_two_candidates_leads(api: Any) -> None:
    """Its leader election with a Lease: each look of a candidate at the lock is taken by hand, so nobody waits."""
    from kubernetes.leaderelection import leaderelection
    from kubernetes.leaderelection.electionconfig import Config
    from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

    def candidate(name: str) -> Any:
        lock = LeaseLock("leader", "default", name)
        lock.api_instance = kubernetes.client.CoordinationV1Api(api)
        return leaderelection.LeaderElection(Config(lock, 17, 15, 5, onstarted_leading=lambda: None, onstopped_leading=None))

    def holder() -> str:
        return str(kubernetes.client.CoordinationV1Api(api).read_namespaced_lease("leader", "default").spec.holder_identity)

    first, second = candidate("first"), candidate("second")
    assert first.try_acquire_or_renew() and holder() == "first"
    assert not second.try_acquire_or_renew() and first.try_acquire_or_renew()
    assert not second.try_acquire_or_renew() and holder() == "first"
    late = candidate("late")
    assert late.election_config.lock.get("leader", "default")[0]  # looks now, and writes after somebody else
    second.observed_time_milliseconds = 0  # as when the lease has run out
    assert second.try_acquire_or_renew() and holder() == "second"
    assert not late.election_config.lock.update("leader", "default", first.observed_record)
    assert not first.try_acquire_or_renew() and holder() == "second"
