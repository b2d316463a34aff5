"""The official conformance tests of evictions by NoExecute taints, step by step."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import PODS, Suite, pod, suite

pytestmark = pytest.mark.virtual_time
NODES = "/api/v1/nodes"
TAINT = {"key": "kubernetes.io/e2e-evict-taint-key", "value": "evictTaintVal", "effect": "NoExecute"}


def tolerating(name: str, seconds: int, **spec: object) -> Object:
    toleration = {"key": TAINT["key"], "value": TAINT["value"], "effect": "NoExecute", "tolerationSeconds": seconds}
    return pod(name, {"group": "taint-eviction"}, terminationGracePeriodSeconds=1, tolerations=[toleration], **spec)


async def taint(e2e: Suite, node: str, taints: list[Object]) -> None:
    await e2e.update_until(f"{NODES}/{node}", lambda each: {**each, "spec": {**each["spec"], "taints": taints}})


async def test_a_removed_taint_evicts_nobody() -> None:
    """[sig-node] NoExecuteTaintManager Single Pod [Serial] removing taint cancels eviction [Disruptive] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, tolerating("taint-eviction-4", 65 * 2))
        (made,) = await e2e.running("group=taint-eviction", 1)
        node = made["spec"]["nodeName"]
        await taint(e2e, node, [TAINT])
        await e2e.settle(65)
        assert not objects.deletion_timestamp(await e2e.get(f"{PODS}/taint-eviction-4"))
        await taint(e2e, node, [])
        await e2e.settle(65 + 60)
        assert not objects.deletion_timestamp(await e2e.get(f"{PODS}/taint-eviction-4"))


async def test_evictions_in_time() -> None:
    """[sig-node] NoExecuteTaintManager Multiple Pods [Serial] evicts pods with minTolerationSeconds [Disruptive] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, tolerating("taint-eviction-b1", 7))
        (made,) = await e2e.running("group=taint-eviction", 1)
        node = made["spec"]["nodeName"]
        await e2e.create(PODS, tolerating("taint-eviction-b2", 23, nodeSelector={"kubernetes.io/hostname": node}))
        await e2e.running("group=taint-eviction", 2)
        began = e2e.cluster.clock.now()
        await taint(e2e, node, [TAINT])
        left = []
        for name in ("taint-eviction-b1", "taint-eviction-b2"):
            await e2e.until(PODS, lambda pods, name=name: name not in going_on(pods))  # type: ignore[misc]
            left.append((e2e.cluster.clock.now() - began).total_seconds())
            condition = "DisruptionTarget"
            assert ("TaintManagerEviction", f"Marking for deletion Pod e2e/{name}") in await e2e.events_of(name), condition
        assert 7 <= left[0] < 10 and 23 <= left[1] < 26


def going_on(pods: Object) -> list[str]:
    return [objects.name(each) for each in pods["items"] if not objects.deletion_timestamp(each)]
