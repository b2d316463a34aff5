"""Pods that want to be near to others, away from them, or spread evenly, in a whole cluster."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS, built_in
from tests.integration.whole_cluster import Cluster, whole_cluster

DEPLOYMENTS = built_in("apps/v1", "Deployment")
CLASSES = built_in("scheduling.k8s.io/v1", "PriorityClass")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def _term(app: str, key: str = HOST) -> Object:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}


async def _deployment(cluster: Cluster, name: str, replicas: int, **spec: Any) -> None:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}
    await cluster.create(DEPLOYMENTS, name, spec={"replicas": replicas, "selector": {"matchLabels": labels}, "template": template})
    await cluster.settle(2)


async def _places(cluster: Cluster, app: str) -> list[str]:
    """The nodes of an app's pods; '' for one that waits."""
    pods = [pod for pod in await cluster.items(PODS) if objects.labels(pod).get("app") == app]
    return sorted(str(objects.spec(pod).get("nodeName") or "") for pod in pods)


async def test_replicas_that_do_not_share_a_node() -> None:
    async with whole_cluster(nodes=3) as cluster:
        await _deployment(cluster, "alone", 4, affinity={"podAntiAffinity": {REQUIRED: [_term("alone")]}})
        assert await _places(cluster, "alone") == ["", "node-0", "node-1", "node-2"]
        waiting = next(pod for pod in await cluster.items(PODS) if not objects.spec(pod).get("nodeName"))
        refused = (
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. no new claims to deallocate, "
            "preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
        )
        assert await cluster.condition(objects.name(waiting)) == refused
        there = next(pod for pod in await cluster.items(PODS) if objects.spec(pod).get("nodeName") == "node-1")
        await cluster.merge(DEPLOYMENTS, "alone", {"spec": {"replicas": 3}})
        await cluster.delete(PODS, objects.name(there))
        await cluster.settle(40)
        assert await _places(cluster, "alone") == ["node-0", "node-1", "node-2"]


async def test_a_pod_waits_for_the_one_it_wants_to_be_near_to() -> None:
    async with whole_cluster(nodes=3) as cluster:
        for number in range(3):
            await cluster.merge(NODES, f"node-{number}", {"metadata": {"labels": {ZONE: "a" if number < 2 else "b"}}})
        near = {"podAffinity": {REQUIRED: [_term("store", ZONE)]}}
        await cluster.create(PODS, "web", spec={"containers": [{"name": "c", "image": "i"}], "affinity": near})
        await cluster.settle(2)
        assert (await cluster.condition("web")).startswith("0/3 nodes are available: 3 node(s) didn't match pod affinity rules.")
        spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "node-2"}
        await cluster.create(PODS, "store", meta={"labels": {"app": "store"}}, spec=spec)
        await cluster.settle(5)
        assert objects.spec(await cluster.get(PODS, "web"))["nodeName"] == "node-2"


async def test_replicas_spread_over_zones() -> None:
    async with whole_cluster(nodes=6) as cluster:
        for number in range(6):
            await cluster.merge(NODES, f"node-{number}", {"metadata": {"labels": {ZONE: "abc"[number % 3] if number < 5 else "a"}}})
        constraint = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}
        await _deployment(
            cluster,
            "web",
            9,
            topologySpreadConstraints=[{**constraint, "labelSelector": {"matchLabels": {"app": "web"}}}],
        )
        zones = {"node-0": "a", "node-1": "b", "node-2": "c", "node-3": "a", "node-4": "b", "node-5": "a"}
        assert sorted(zones[node] for node in await _places(cluster, "web")) == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
        await cluster.merge(NODES, "node-2", {"spec": {"unschedulable": True}})
        await cluster.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 12}})
        await cluster.settle(2)
        places = await _places(cluster, "web")
        assert places.count("") == 1  # the zone without a usable node counts: one more for each of the two others
        assert sorted(zones[node] for node in places if node) == ["a"] * 4 + ["b"] * 4 + ["c"] * 3


async def test_pods_placed_before_the_scheduler_began_are_kept_away_from() -> None:
    async with whole_cluster(nodes=2) as cluster:
        alone = {"podAntiAffinity": {REQUIRED: [_term("web")]}}
        spec = {"containers": [{"name": "c", "image": "i"}], "affinity": alone, "nodeName": "node-0"}
        await cluster.create(PODS, "guarded", spec=spec)
        await cluster.settle(1)
        await _deployment(cluster, "web", 4)
        assert await _places(cluster, "web") == ["node-1"] * 4


async def test_a_pod_is_evicted_because_it_keeps_a_more_important_one_away() -> None:
    async with whole_cluster(nodes=1) as cluster:
        await cluster.create(CLASSES, "high", value=1000)
        spec = {"containers": [{"name": "c", "image": "i"}], "affinity": {"podAntiAffinity": {REQUIRED: [_term("web")]}}}
        await cluster.create(PODS, "guarded", spec={**spec, "terminationGracePeriodSeconds": 1})
        await cluster.settle(1)
        await _deployment(cluster, "web", 1, priorityClassName="high")
        await cluster.settle(10)
        assert await _places(cluster, "web") == ["node-0"]
        assert not await cluster.exists(PODS, "guarded")
