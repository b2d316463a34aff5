"""A node on which memory runs out: conditions, taint, refused pods, and who is evicted first."""

from __future__ import annotations

from typing import Any

from controllers.kubelet.node_behaviour import PRESSURE, node_problems
from kctl.apimachinery import objects
from kctl.apimachinery.resources import NODES, PODS
from tests.integration.whole_cluster import Cluster, whole_cluster


async def pod(cluster: Cluster, name: str, used: str, asked: str = "", **spec: Any) -> None:
    resources = {"requests": {"memory": asked}} if asked else {}
    annotations = {"kctl.dev/memory-usage": used}
    container = {"name": "c", "image": "i", "resources": resources}
    wanted = {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}
    await cluster.create(PODS, name, meta={"annotations": annotations}, spec=wanted)


async def press(cluster: Cluster, kinds: str | None) -> None:
    await cluster.merge(NODES, "node-0", {"metadata": {"annotations": {PRESSURE: kinds}}})
    await cluster.settle(1)


async def test_pods_that_use_more_than_they_asked_for_are_evicted_first() -> None:
    async with whole_cluster(nodes=1) as cluster:
        await pod(cluster, "modest", "50Mi", "100Mi")
        await pod(cluster, "greedy", "300Mi", "100Mi")
        await pod(cluster, "free", "200Mi")
        await cluster.settle(2)
        await press(cluster, "memory")
        node = await cluster.get(NODES, "node-0")
        condition = objects.condition(node, "MemoryPressure") or {}
        assert (condition["status"], condition["reason"]) == ("True", "KubeletHasInsufficientMemory")
        assert [taint["key"] for taint in objects.spec(node)["taints"]] == ["node.kubernetes.io/memory-pressure"]
        await pod(cluster, "late", "1Mi", nodeName="node-0")
        await cluster.settle(1)
        late = objects.status(await cluster.get(PODS, "late"))
        assert (late["reason"], late["message"]) == ("Evicted", "Pod was rejected: The node had condition: [MemoryPressure]. ")
        await cluster.settle(10)
        order = [name for name in ("greedy", "free", "modest") if await cluster.phase(PODS, name) == "Failed"]
        assert len(order) == 1
        await cluster.settle(10)
        assert [await cluster.phase(PODS, name) for name in ("greedy", "free", "modest")] == ["Failed", "Failed", "Running"]
        greedy = await cluster.get(PODS, "greedy")
        message = (
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. "
            "Container c was using 300Mi, request is 100Mi, has larger consumption of memory. "
        )
        assert (objects.status(greedy)["reason"], objects.status(greedy)["message"]) == ("Evicted", message)
        told = objects.condition(greedy, "DisruptionTarget") or {}
        assert (told["status"], told["reason"], told["message"]) == ("True", "TerminationByKubelet", message)
        assert ("Warning", "Evicted", message) in await cluster.events("greedy")
        await press(cluster, None)
        await cluster.settle(30)
        node = await cluster.get(NODES, "node-0")
        assert (objects.condition(node, "MemoryPressure") or {})["status"] == "False" and not objects.spec(node).get("taints")
        assert await cluster.phase(PODS, "modest") == "Running"


def test_a_pressure_that_nobody_knows_is_named() -> None:
    assert node_problems({PRESSURE: "memory,heat"}) == [
        'metadata.annotations[kctl.dev/pressure]: "heat" is none of memory, disk, pid; it is ignored'
    ]
