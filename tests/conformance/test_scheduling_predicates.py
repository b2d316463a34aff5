"""The official conformance tests of what a scheduler looks at in nodes, and of PriorityClasses, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.quantity import parse
from tests.conformance.suite import PODS, STRATEGIC, Suite, container, pod, suite

pytestmark = pytest.mark.virtual_time
NODES = "/api/v1/nodes"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


def wants(name: str, cpu: str, **spec: Any) -> Object:
    amounts = {"cpu": cpu}
    return pod(name, {"name": name}, containers=[container(resources={"limits": amounts, "requests": amounts})], **spec)


def on_node(name: str) -> Object:
    term = {"matchExpressions": [{"key": "node", "operator": "In", "values": [name]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


async def stays_unscheduled(e2e: Suite, name: str) -> str:
    """The message of its condition, which is that of its event too."""
    failed = await e2e.until(f"{PODS}/{name}", lambda each: bool(objects.condition(each, "PodScheduled")))
    condition = objects.condition(failed, "PodScheduled") or {}
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert ("FailedScheduling", condition["message"]) in await e2e.events_of(name)
    await e2e.settle(10)
    assert "nodeName" not in (await e2e.get(f"{PODS}/{name}"))["spec"]
    return str(condition["message"])


async def test_resource_limits() -> None:
    """[sig-scheduling] SchedulerPredicates [Serial] validates resource limits of pods that are allowed to run [Conformance]"""
    async with suite() as e2e:
        nodes = await e2e.items(NODES)
        for node in nodes:
            name = objects.name(node)
            await e2e.patch(f"{NODES}/{name}", {"metadata": {"labels": {"node": name}}})
            free = int(parse(node["status"]["allocatable"]["cpu"]) * 1000)
            used = f"{free * 7 // 10}m"
            await e2e.create(PODS, wants(f"filler-pod-{name}", used, affinity=on_node(name)))
            await e2e.running(f"name=filler-pod-{name}", 1)
        await e2e.create(PODS, wants("additional-pod", f"{free // 2}m"))
        assert "3 Insufficient cpu" in await stays_unscheduled(e2e, "additional-pod")


async def test_no_node_has_the_label() -> None:
    """[sig-scheduling] SchedulerPredicates [Serial] validates that NodeSelector is respected if not matching [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("restricted-pod", {"name": "restricted"}, nodeSelector={"label": "nonempty"}))
        message = await stays_unscheduled(e2e, "restricted-pod")
        assert "3 node(s) didn't match Pod's node affinity/selector" in message


async def test_a_node_has_the_label() -> None:
    """[sig-scheduling] SchedulerPredicates [Serial] validates that NodeSelector is respected if matching [Conformance]"""
    async with suite() as e2e:
        await e2e.create(PODS, pod("without-label"))
        node = (await e2e.until(f"{PODS}/without-label", lambda each: each["spec"].get("nodeName")))["spec"]["nodeName"]
        await e2e.delete(f"{PODS}/without-label", gracePeriodSeconds=0)
        await e2e.patch(f"{NODES}/{node}", {"metadata": {"labels": {"kubernetes.io/e2e-some": "42"}}})
        await e2e.create(PODS, pod("with-labels", {"name": "with-labels"}, nodeSelector={"kubernetes.io/e2e-some": "42"}))
        (placed,) = await e2e.running("name=with-labels", 1)
        assert placed["spec"]["nodeName"] == node


async def test_host_ports_of_all_addresses() -> None:
    """[sig-scheduling] SchedulerPredicates [Serial] validates that there exists conflict between pods with same hostPort and protocol but one using 0.0.0.0 hostIP [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        (node, *_) = await e2e.items(NODES)
        label = {"kubernetes.io/e2e-some": "95"}
        await e2e.patch(f"{NODES}/{objects.name(node)}", {"metadata": {"labels": label}})
        address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")

        def taking(name: str, host: str) -> Object:
            port = {"hostPort": 54322, "containerPort": 80, "protocol": "TCP", "hostIP": host}
            return pod(name, {"name": name}, nodeSelector=label, containers=[container(ports=[port])])

        await e2e.create(PODS, taking("pod4", "0.0.0.0"))
        await e2e.running("name=pod4", 1)
        await e2e.create(PODS, taking("pod5", address))
        assert "1 node(s) didn't have free ports for the requested pod ports" in await stays_unscheduled(e2e, "pod5")


async def test_priority_classes() -> None:
    """[sig-scheduling] SchedulerPreemption [Serial] PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods [Conformance]"""  # noqa: E501
    async with suite() as e2e:
        for name, value in (("p1", 1), ("p2", 2)):
            await e2e.create(CLASSES, {"metadata": {"name": name}, "value": value})
        listed = {objects.name(each): each["value"] for each in await e2e.items(CLASSES)}
        assert (listed["p1"], listed["p2"]) == (1, 2)
        first, second = f"{CLASSES}/p1", f"{CLASSES}/p2"
        message = await e2e.refused("PATCH", first, {"value": 10}, status=422, kind=STRATEGIC)
        assert message.endswith("value: Forbidden: may not be changed in an update.")
        assert (await e2e.get(first))["value"] == 1
        message = await e2e.refused("PUT", second, {**await e2e.get(second), "value": 20}, status=422)
        assert message.endswith("may not be changed in an update.") and (await e2e.get(second))["value"] == 2
        patched = await e2e.patch(first, {"description": "patched", "globalDefault": False}, STRATEGIC)
        assert patched["description"] == "patched"
        updated = await e2e.update(
            second, {**await e2e.get(second), "description": "updated", "metadata": {"name": "p2", "labels": {"a": "b"}}}
        )
        assert (updated["description"], objects.labels(updated)) == ("updated", {"a": "b"})
        await e2e.delete(first)
        await e2e.delete(second)
        assert not {"p1", "p2"} & set(await e2e.names(CLASSES))
