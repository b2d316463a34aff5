"""kube-scheduler against the real API server: bindings, conditions, events, and what wakes pods that wait."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from controllers.kube_scheduler.main import KubeScheduler
from controllers.runtime.informer import InformerFactory
from kctl.apimachinery import objects
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS, NODES, PODS, SERVICE_ACCOUNTS
from kctl.apimachinery.status import ApiError, Conflict
from kctl.apimachinery.user import ADMIN, component
from kctl.client.client import Client
from kctl.client.transport import STRATEGIC_MERGE_PATCH
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


class FailingBinder(Client):
    """Refuses the next `failures` bindings."""

    failures = 0
    attempts = 0

    async def bind(self, namespace: str, pod: str, node: str, *, uid: str = "") -> None:
        self.attempts += 1
        if self.failures:
            self.failures -= 1
            raise Conflict(f'Operation cannot be fulfilled on pods/binding "{pod}": busy')
        await super().bind(namespace, pod, node, uid=uid)


class Plane:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.server = ApiServer(MemoryStore(), clock=self.clock, randomness=random.Random(1))

    async def start(self) -> None:
        await self.server.start()
        self.client = Client(self.server.transport(ADMIN))
        self.binder = FailingBinder(self.server.component_transport(component("kube-scheduler")))
        self.informers = InformerFactory(self.binder, self.clock)
        self.component = KubeScheduler(self.binder, self.informers, self.clock, random.Random(1))
        ready, self._stop = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self.component.run(ready.set, self._stop))
        await ready.wait()
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await self.client.create(SERVICE_ACCOUNTS, account, "default")

    async def stop(self) -> None:
        self._stop.set()
        await self._task
        await self.informers.stop()
        await self.server.stop()

    async def settle(self, seconds: float = 0.0) -> None:
        await self.clock.step(seconds)

    async def node(self, name: str, cpu: str = "2", **spec: Any) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"name": name}}, "spec": spec}
        await self.client.create(NODES, node)
        allocatable = {"cpu": cpu, "memory": "4Gi", "pods": "10"}
        patch = {"status": {"allocatable": allocatable, "capacity": allocatable}}
        await self.client.patch(NODES, name, patch, subresource="status")
        # What node-lifecycle-controller does once the kubelet has reported: a new node is admitted with a not-ready taint.
        await self.client.patch(NODES, name, {"spec": {"taints": spec.get("taints")}})

    async def create(self, name: str, cpu: str = "1", **spec: Any) -> None:
        container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [container], **spec},
        }
        await self.client.create(PODS, pod, "default")
        await self.settle()

    async def pod(self, name: str) -> Object:
        return await self.client.get(PODS, name, "default")

    async def where(self, *names: str) -> list[str]:
        return [str((await self.pod(name))["spec"].get("nodeName") or "") for name in names]

    async def condition(self, name: str) -> Object:
        return objects.condition(await self.pod(name), "PodScheduled") or {}

    async def events(self) -> list[Object]:
        await self.component._recorder.sink.flush()
        return list((await self.client.list(EVENTS, "default")).get("items") or ())


@pytest.fixture
async def plane() -> AsyncIterator[Plane]:
    made = Plane()
    await made.start()
    try:
        yield made
    finally:
        with contextlib.suppress(ApiError):
            await made.stop()


async def test_a_pod_is_bound_and_the_event_says_where(plane: Plane) -> None:
    await plane.node("a")
    await plane.create("p")
    pod = await plane.pod("p")
    assert pod["spec"]["nodeName"] == "a"
    assert objects.condition(pod, "PodScheduled")["status"] == "True"  # type: ignore[index]
    (event,) = await plane.events()
    assert (event["type"], event["reason"]) == ("Normal", "Scheduled")
    assert event["message"] == "Successfully assigned default/p to a"
    assert event["reportingComponent"] == "default-scheduler"
    assert event["involvedObject"]["uid"] == objects.uid(pod)


async def test_a_pod_without_a_node_says_why_and_gets_one_that_comes(plane: Plane) -> None:
    await plane.node("small")
    await plane.node("tainted", "4", taints=[{"key": "k", "effect": "NoSchedule"}])
    await plane.create("p", "3")
    message = (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    condition = await plane.condition("p")
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "Unschedulable", message)
    events = [(event["type"], event["reason"], event["message"]) for event in await plane.events()]
    assert events == [("Warning", "FailedScheduling", message)]
    await plane.node("large", "4")
    await plane.settle(1.0)
    assert await plane.where("p") == ["large"]
    assert (await plane.condition("p"))["status"] == "True"


async def test_no_nodes_at_all(plane: Plane) -> None:
    await plane.create("p")
    assert (await plane.condition("p"))["message"] == "no nodes available to schedule pods"
    await plane.node("a")
    await plane.settle(1.0)
    assert await plane.where("p") == ["a"]


Waker = Callable[[Plane], Any]


async def _delete_the_other(plane: Plane) -> None:
    await plane.client.delete(PODS, "other", "default", grace_period_seconds=0)


async def _finish_the_other(plane: Plane) -> None:
    await plane.client.patch(PODS, "other", {"status": {"phase": "Succeeded"}}, "default", subresource="status")


async def _raise_capacity(plane: Plane) -> None:
    await plane.client.patch(NODES, "a", {"status": {"allocatable": {"cpu": "9"}}}, subresource="status")


async def _uncordon(plane: Plane) -> None:
    await plane.client.patch(NODES, "b", {"spec": {"unschedulable": None}})


@pytest.mark.parametrize("wake", [_delete_the_other, _finish_the_other, _raise_capacity, _uncordon])
async def test_what_wakes_a_pod_that_waits(plane: Plane, wake: Waker) -> None:
    await plane.node("a")
    await plane.node("b", unschedulable=True)
    await plane.create("other", "2")
    await plane.create("p")
    await plane.settle(30.0)
    assert await plane.where("other", "p") == ["a", ""]
    await wake(plane)
    await plane.settle()
    assert (await plane.where("p"))[0] in ("a", "b")


async def test_resizing_in_place_makes_room_only_when_the_kubelet_has_acted(plane: Plane) -> None:
    await plane.node("a")
    await plane.create("other", "2", nodeName="a")
    await plane.create("p", "1")
    resize = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]}}
    granted = {"name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "allocatedResources": {"cpu": "2"}}
    status = {"phase": "Running", "containerStatuses": [granted]}
    await plane.client.patch(PODS, "other", {"status": status}, "default", subresource="status")
    await plane.client.patch(PODS, "other", resize, "default", subresource="resize", patch_type=STRATEGIC_MERGE_PATCH)
    await plane.settle(30.0)
    assert await plane.where("p") == [""]
    status = {"containerStatuses": [{**granted, "allocatedResources": {"cpu": "500m"}}]}
    await plane.client.patch(PODS, "other", {"status": status}, "default", subresource="status")
    await plane.settle()
    assert await plane.where("p") == ["a"]


async def test_only_what_can_help_wakes_a_pod(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pods wait for three things: room, a label, a taint to go. Each is looked at again only for its own."""
    await plane.node("a")
    await plane.node("b", taints=[{"key": "k", "effect": "NoSchedule"}])
    await plane.create("filler", "2", nodeName="a")
    await plane.create("for-room", "2")
    await plane.create("for-label", "100m", nodeSelector={"wanted": "yes"})
    scheduler, tried = plane.component.scheduler, []
    schedule_one = scheduler.schedule_one
    monkeypatch.setattr(scheduler, "schedule_one", lambda queued: (tried.append(queued.info.key), schedule_one(queued)))
    await plane.settle(60.0)
    await plane.client.patch(NODES, "a", {"metadata": {"labels": {"other": "label"}}})
    await plane.client.patch(NODES, "a", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, subresource="status")
    await plane.settle(30.0)
    assert tried == []
    await plane.client.delete(PODS, "filler", "default", grace_period_seconds=0)
    await plane.settle(30.0)
    assert tried == ["default/for-room"]
    await plane.client.patch(NODES, "a", {"metadata": {"labels": {"wanted": "yes"}}})
    await plane.settle(30.0)
    assert tried == ["default/for-room", "default/for-label"]


async def test_labels_that_do_not_help_wake_nobody(plane: Plane) -> None:
    await plane.node("a")
    await plane.create("p", "5")
    await plane.settle(30.0)
    await plane.client.patch(NODES, "a", {"metadata": {"labels": {"new": "1"}}})
    await plane.settle(30.0)
    (event,) = await plane.events()
    assert event.get("count", 1) == 1


async def test_pods_of_other_schedulers_and_with_gates_are_left_alone(plane: Plane) -> None:
    await plane.node("a")
    await plane.create("foreign", schedulerName="mine")
    await plane.create("gated", schedulingGates=[{"name": "example.com/quota"}])
    await plane.settle(1.0)
    assert await plane.where("foreign", "gated") == ["", ""]
    assert await plane.condition("foreign") == {}
    assert (await plane.condition("gated"))["reason"] == "SchedulingGated"
    await plane.client.patch(PODS, "gated", {"spec": {"schedulingGates": []}}, "default")
    await plane.settle()
    assert await plane.where("gated") == ["a"]


async def test_a_refused_binding_is_forgotten_and_tried_again(plane: Plane) -> None:
    plane.binder.failures = 2
    await plane.node("a")
    await plane.create("p", "2")
    assert await plane.where("p") == [""]
    assert plane.component.scheduler.cache.node("a").requested.milli_cpu == 0  # type: ignore[union-attr]
    assert (await plane.condition("p"))["reason"] == "SchedulerError"
    await plane.settle(0.5)
    assert plane.binder.attempts == 1
    await plane.settle(0.5)
    assert plane.binder.attempts == 2
    await plane.settle(2.0)
    assert await plane.where("p") == ["a"]
    assert plane.component.scheduler.cache.node("a").requested.milli_cpu == 2000  # type: ignore[union-attr]
    messages = [event["message"] for event in await plane.events() if event["reason"] == "FailedScheduling"]
    assert messages and messages[0].startswith('running Bind plugin "DefaultBinder": Operation cannot be fulfilled')


async def test_a_pod_somebody_else_binds_first_counts_where_it_is(plane: Plane) -> None:
    await plane.node("a")
    await plane.node("b")
    plane.binder.failures = 1
    await plane.create("p", "2")
    await plane.client.bind("default", "p", "b")
    await plane.settle(20.0)
    nodes = [plane.component.scheduler.cache.node(name) for name in "ab"]
    assert [node.requested.milli_cpu for node in nodes if node] == [0, 2000]
    assert await plane.where("p") == ["b"]
    assert len(plane.component.scheduler.queue) == 0


async def test_a_plugin_that_fails_on_one_pod_leaves_the_others_alone(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = plane.component.scheduler
    assign = scheduler._assigner.assign

    def sometimes(info: Any) -> Any:
        if info.key == "default/poison":
            raise KeyError("poison")
        return assign(info)

    monkeypatch.setattr(scheduler._assigner, "assign", sometimes)
    await plane.node("a")
    await plane.create("poison")
    await plane.create("p")
    assert await plane.where("poison", "p") == ["", "a"]
    assert (await plane.condition("poison"))["reason"] == "SchedulerError"
    monkeypatch.undo()
    await plane.settle(1.0)
    assert await plane.where("poison") == ["a"]


async def test_a_burst_fills_the_nodes_exactly_and_higher_priorities_go_first(plane: Plane) -> None:
    for name in "abc":
        await plane.node(name, "3")
    names = [f"p{number:02}" for number in range(12)]
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}} for name in names]
    await asyncio.gather(*(plane.client.create(PODS, pod, "default") for pod in pods))
    await plane.settle()
    places = await plane.where(*names)
    assert sorted(places) == ["", "", ""] + ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    await plane.create("vip", priorityClassName="system-cluster-critical")
    bound = next(name for name, place in zip(names, places, strict=True) if place)
    await plane.client.delete(PODS, bound, "default", grace_period_seconds=0)
    await plane.settle(10.0)
    assert (await plane.where("vip"))[0] != ""


async def test_a_deleted_pod_is_no_longer_tried(plane: Plane) -> None:
    await plane.create("p")
    await plane.client.delete(PODS, "p", "default", grace_period_seconds=0)
    await plane.settle()
    assert len(plane.component.scheduler.queue) == 0
    await plane.node("a")
    await plane.settle(20.0)
    assert plane.binder.attempts == 0
