"""Preemption: pods of higher priority take the place of others, in a whole cluster with simulated kubelets."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS, built_in
from tests.integration.whole_cluster import Cluster, whole_cluster

CLASSES = built_in("scheduling.k8s.io/v1", "PriorityClass")
BUDGETS = built_in("policy/v1", "PodDisruptionBudget")
SCARCE = "example.com/scarce"


async def _cluster_of_scarce_nodes(cluster: Cluster, amount: str = "2", nodes: int = 2) -> None:
    for number in range(nodes):
        patch = {"status": {"capacity": {SCARCE: amount}, "allocatable": {SCARCE: amount}}}
        await cluster.merge(NODES, f"node-{number}", patch, subresource="status")
    for name, value in (("low", 1), ("medium", 100), ("high", 1000), ("negative", -5)):
        await cluster.create(CLASSES, name, value=value)
    await cluster.settle(1)


async def _pod(cluster: Cluster, name: str, priority: str, amount: str = "1", labels: Object | None = None, **spec: Any) -> Object:
    quantities = {SCARCE: amount}
    container = {"name": "c", "image": "i", "resources": {"requests": quantities, "limits": quantities}}
    meta = {"labels": labels or {"app": name}, "annotations": spec.pop("annotations", {})}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}
    if priority:
        spec["priorityClassName"] = priority
    made = await cluster.create(PODS, name, meta=meta, spec=spec)
    await cluster.settle(1)
    return made


async def _node_of(cluster: Cluster, name: str) -> str:
    return str(objects.spec(await cluster.get(PODS, name)).get("nodeName") or "")


async def test_the_lowest_priority_goes_and_its_node_is_kept_for_the_pod_that_waits() -> None:
    async with whole_cluster(nodes=2) as cluster:
        await _cluster_of_scarce_nodes(cluster)
        await _pod(cluster, "medium-0", "medium", "2", nodeName="node-0")
        slow = {"kctl.dev/stop-duration": "20s"}
        await _pod(cluster, "low-1", "low", annotations=slow, nodeName="node-1", terminationGracePeriodSeconds=30)
        await _pod(cluster, "medium-1", "medium", nodeName="node-1")
        preemptor = await _pod(cluster, "high", "high")
        victim = await cluster.get(PODS, "low-1")
        assert objects.deletion_timestamp(victim)
        condition = objects.condition(victim, "DisruptionTarget") or {}
        assert {name: condition[name] for name in ("status", "reason", "message")} == {
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": "default-scheduler: preempting to accommodate a higher priority pod",
        }
        waiting = await cluster.get(PODS, "high")
        assert objects.status(waiting)["nominatedNodeName"] == "node-1"
        refused = f"0/2 nodes are available: 2 Insufficient {SCARCE}."
        assert await cluster.condition("high") == refused
        # Others of its kind do not take the place meanwhile, nor does whoever comes later with less.
        await _pod(cluster, "late", "low")
        assert await _node_of(cluster, "late") == ""
        await cluster.settle(60)
        assert await _node_of(cluster, "high") == "node-1"
        assert not await cluster.exists(PODS, "low-1")
        assert await _node_of(cluster, "late") == ""
        assert [await cluster.phase(PODS, name) for name in ("medium-0", "medium-1", "high")] == ["Running"] * 3
        told = ("Normal", "Preempted", f"Preempted by pod {objects.uid(preemptor)} on node node-1")
        assert told in await cluster.events("low-1")
        assert ("Warning", "FailedScheduling", refused) in await cluster.events("high")


async def test_many_preemptors_at_once_take_what_they_need_and_no_more() -> None:
    async with whole_cluster(nodes=3) as cluster:
        await _cluster_of_scarce_nodes(cluster, "4", nodes=3)
        for number in range(12):
            await _pod(cluster, f"low-{number}", "low")
        for number in range(5):
            spec = {"priorityClassName": "high", "containers": [{"name": "c", "image": "i", "resources": {"limits": {SCARCE: "1"}}}]}
            await cluster.create(PODS, f"high-{number}", spec=spec)
        await cluster.settle(60)
        assert all([await _node_of(cluster, f"high-{number}") for number in range(5)])
        left = [objects.name(pod) for pod in await cluster.items(PODS) if objects.name(pod).startswith("low")]
        assert len(left) == 7


async def test_budgets_choose_the_victims() -> None:
    async with whole_cluster(nodes=2) as cluster:
        await _cluster_of_scarce_nodes(cluster, "1")
        await cluster.create(BUDGETS, "keep", spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}})
        await _pod(cluster, "kept", "negative", labels={"app": "kept"}, nodeName="node-0")
        await _pod(cluster, "other", "medium", nodeName="node-1")
        await cluster.settle(2)
        await _pod(cluster, "high", "high")
        await cluster.settle(10)
        assert await _node_of(cluster, "high") == "node-1"
        assert await cluster.exists(PODS, "kept") and not await cluster.exists(PODS, "other")
        # With no other choice the budget is overridden.
        await _pod(cluster, "second", "high")
        await cluster.settle(10)
        assert await _node_of(cluster, "second") == "node-0"
        assert not await cluster.exists(PODS, "kept")


async def test_a_pod_of_plain_priority_takes_the_place_of_a_negative_one() -> None:
    async with whole_cluster(nodes=1) as cluster:
        await _cluster_of_scarce_nodes(cluster, "1", nodes=1)
        await _pod(cluster, "negative", "negative")
        await _pod(cluster, "plain", "")
        await cluster.settle(10)
        assert await _node_of(cluster, "plain") == "node-0"
        assert not await cluster.exists(PODS, "negative")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"preemptionPolicy": "Never"}, "preemption: not eligible due to preemptionPolicy=Never."),
        (
            {"nodeSelector": {"there-is": "none"}},
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        ),
        ({"priority": 50}, "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."),
    ],
    ids=("never", "hopeless", "nobody"),
)
async def test_who_evicts_nobody(spec: Object, words: str) -> None:
    async with whole_cluster(nodes=1) as cluster:
        await _cluster_of_scarce_nodes(cluster, "1", nodes=1)
        await cluster.create(CLASSES, "fifty", value=50)
        await _pod(cluster, "there", "medium")
        priority = "fifty" if spec.pop("priority", 0) else "high"
        if "preemptionPolicy" in spec:
            priority = "polite"
            await cluster.create(CLASSES, priority, value=1000, **spec)
            spec = {}
        await _pod(cluster, "waits", priority, **spec)
        assert (await cluster.condition("waits")).endswith(f"no new claims to deallocate, {words}")
        assert "nominatedNodeName" not in objects.status(await cluster.get(PODS, "waits"))
        assert await cluster.phase(PODS, "there") == "Running"


async def test_the_fewest_and_least_important_go() -> None:
    """Of nodes that could be freed: the lowest highest priority, then the lowest sum, then the fewest, then the youngest."""
    async with whole_cluster(nodes=4) as cluster:
        await _cluster_of_scarce_nodes(cluster, "2", nodes=4)
        await _pod(cluster, "a", "medium", "2", nodeName="node-0")
        for name in ("b", "c"):
            await _pod(cluster, name, "low", nodeName="node-1")
        await _pod(cluster, "d", "low", "2", nodeName="node-2")
        await cluster.settle(5)
        await _pod(cluster, "e", "low", "2", nodeName="node-3")
        await _pod(cluster, "high", "high", "2")
        await cluster.settle(10)
        assert await _node_of(cluster, "high") == "node-3"
        await _pod(cluster, "high-2", "high", "2")
        await cluster.settle(10)
        assert await _node_of(cluster, "high-2") == "node-2"
        await _pod(cluster, "high-3", "high", "1")
        await cluster.settle(10)
        assert await _node_of(cluster, "high-3") == "node-1"
        assert await cluster.exists(PODS, "b") != await cluster.exists(PODS, "c")
