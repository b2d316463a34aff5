"""The official conformance tests of preemption, step by step."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import APPS, JSON_PATCH, PODS, Suite, container, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time
NODES, CLASSES = "/api/v1/nodes", "/apis/scheduling.k8s.io/v1/priorityclasses"
SETS = f"{APPS}/replicasets"
FOO = "scheduling.k8s.io/foo"
LEVELS = {"low": 1, "medium": 100, "high": 1000}


async def classes(e2e: Suite, levels: dict[str, int]) -> None:
    for name, value in levels.items():
        await e2e.create(CLASSES, {"metadata": {"name": name}, "value": value})


async def extend(e2e: Suite, node: str, resource: str, amount: str) -> None:
    """Capacity for a resource that the kubelet knows nothing of; it makes it allocatable."""
    path = f"/status/capacity/{resource.replace('/', '~1')}"
    patched = await e2e.patch(f"{NODES}/{node}/status", [{"op": "add", "path": path, "value": amount}], JSON_PATCH)
    wanted = patched["status"]["capacity"][resource]
    await e2e.until(f"{NODES}/{node}", lambda each: each["status"]["allocatable"].get(resource) == wanted, 60)


def taking(name: str, level: str, amount: str, resource: str = FOO, **spec: object) -> Object:
    amounts = {resource: amount}
    resources = {"requests": amounts, "limits": amounts}
    return pod(name, {"name": name}, priorityClassName=level, containers=[container(resources=resources)], **spec)


async def fill(e2e: Suite) -> list[str]:
    """Two pods on each node, of which a third does not fit; the first of all matters least."""
    names = []
    for number, node in enumerate(await e2e.names(NODES)):
        await extend(e2e, node, FOO, "5")
        for which in range(2):
            name = f"pod{number}-{which}-sched-preemption"
            level = "medium" if names else "low"
            await e2e.create(PODS, taking(name, level, "2", nodeSelector={"kubernetes.io/hostname": node}))
            await e2e.until(f"{PODS}/{name}", is_ready)
            names.append(name)
    return names


async def the_first_went(e2e: Suite, names: list[str]) -> None:
    await e2e.gone(f"{PODS}/{names[0]}")
    for name in names[1:]:
        assert not objects.deletion_timestamp(await e2e.get(f"{PODS}/{name}"))


async def test_basic() -> None:
    """[sig-scheduling] SchedulerPreemption [Serial] validates basic preemption works [Conformance]"""
    async with suite() as e2e:
        await classes(e2e, LEVELS)
        names = await fill(e2e)
        await e2e.create(PODS, taking("preemptor-pod", "high", "2"))
        await e2e.until(f"{PODS}/preemptor-pod", is_ready)
        await the_first_went(e2e, names)


async def test_critical() -> None:
    """[sig-scheduling] SchedulerPreemption [Serial] validates lower priority pod preemption by critical pod [Conformance]"""
    system = "/api/v1/namespaces/kube-system/pods"
    async with suite() as e2e:
        await classes(e2e, LEVELS)
        names = await fill(e2e)
        await e2e.create(system, taking("critical-pod", "system-cluster-critical", "2"))
        critical = await e2e.until(f"{system}/critical-pod", is_ready)
        assert critical["spec"]["priority"] == 2_000_000_000
        await the_first_went(e2e, names)


async def test_condition() -> None:
    """[sig-scheduling] SchedulerPreemption [Serial] validates pod disruption condition is added to the preempted pod [Conformance]"""
    async with suite() as e2e:
        await classes(e2e, LEVELS)
        node, *_ = await e2e.names(NODES)
        await extend(e2e, node, FOO, "1")
        on_it = {"nodeSelector": {"kubernetes.io/hostname": node}}
        victim = taking("victim-pod", "low", "1", **on_it)
        victim["metadata"]["finalizers"] = ["example.com/test-finalizer"]
        await e2e.create(PODS, victim)
        await e2e.until(f"{PODS}/victim-pod", is_ready)
        await e2e.create(PODS, taking("preemptor-pod", "high", "1", **on_it))
        preempted = await e2e.until(f"{PODS}/victim-pod", objects.deletion_timestamp)
        preempted = await e2e.until(f"{PODS}/victim-pod", lambda each: objects.condition(each, "DisruptionTarget"))
        condition = objects.condition(preempted, "DisruptionTarget") or {}
        assert (condition["status"], condition["reason"]) == ("True", "PreemptionByScheduler")
        await e2e.patch(f"{PODS}/victim-pod", {"metadata": {"finalizers": None}})
        await e2e.gone(f"{PODS}/victim-pod")
        await e2e.until(f"{PODS}/preemptor-pod", is_ready)


async def test_path() -> None:
    """[sig-scheduling] SchedulerPreemption [Serial] PreemptionExecutionPath runs ReplicaSets to verify preemption running path [Conformance]"""  # noqa: E501
    resource = "example.com/fakecpu"
    async with suite() as e2e:
        await classes(e2e, {f"p{number}": number for number in (1, 2, 3, 4)})
        node, *_ = await e2e.names(NODES)
        await extend(e2e, node, resource, "1000")
        since = await e2e.get(PODS)

        async def replica_set(number: int, amount: str) -> None:
            name = f"pod{number}"
            made = taking(name, f"p{number}", amount, resource, nodeSelector={"kubernetes.io/hostname": node})
            spec = {"replicas": 1, "selector": {"matchLabels": {"name": name}}}
            spec["template"] = {"metadata": {"labels": {"name": name}}, "spec": made["spec"]}
            await e2e.create(SETS, {"metadata": {"name": f"rs-{name}"}, "spec": spec})
            await e2e.until(f"{SETS}/rs-{name}", lambda each: each["status"].get("readyReplicas") == 1)

        for number, amount in ((1, "200"), (2, "300"), (3, "450"), (4, "500")):
            await replica_set(number, amount)
        await e2e.settle(10)
        added = [objects.labels(each)["name"] for kind, each in await e2e.watched(PODS, since) if kind == "ADDED"]
        assert [added.count(f"pod{number}") for number in (1, 2, 3, 4)] == [2, 2, 1, 1]
