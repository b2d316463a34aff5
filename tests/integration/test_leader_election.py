"""Of several replicas one acts at a time, whatever happens to the others and to their connections: the real API server, simulated time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controllers.kube_controller_manager.main import KubeControllerManager
from controllers.runtime.events import EventRecorder
from controllers.runtime.informer import InformerFactory
from controllers.runtime.leader_election import ElectionTimes, LeaderElector
from kctl.apimachinery import objects
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.resources import EVENTS, LEASES, NAMESPACES, PODS, STATEFUL_SETS
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.transport import ApiRequest, ApiResponse, Transport
from kctl.daemon.components import API_SERVER_ALONE
from kctl.daemon.control_plane import ControlPlane
from store.memory import MemoryStore


class Line:
    """A replica's connection, which can be cut, or swallow whatever is sent."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.cut = False
        self.swallows = False

    async def request(self, request: ApiRequest) -> ApiResponse:
        if self.swallows:
            await asyncio.Event().wait()
        if self.cut:
            raise ConnectionFailed("https://127.0.0.1:6443", "connect: connection refused")
        return await self._transport.request(request)

    async def raw(self, method: str, path: str, **more: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None: ...


class Stage:
    """Whoever acts is on it."""

    def __init__(self) -> None:
        self.acting: list[str] = []
        self.history: list[str] = []

    async def act(self, name: str, over: asyncio.Event) -> None:
        self.acting.append(name)
        self.history.append(name)
        assert len(self.acting) == 1, f"{self.acting} act at the same time"
        try:
            await over.wait()
        finally:
            self.acting.remove(name)


class Replica:
    def __init__(self, plane: ControlPlane, clock: VirtualClock, stage: Stage, name: str, times: ElectionTimes | None = None) -> None:
        self.line = Line(plane.client().transport)
        client = Client(self.line)
        self.recorder = EventRecorder(client, clock, name)
        self.elector = LeaderElector(client, clock, random.Random(name), self.recorder, name, name="kube-scheduler", times=times)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.elector.run(lambda over: stage.act(name, over), self.stop))

    async def end(self) -> bool:
        self.stop.set()
        return await self.task


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    async with ControlPlane(MemoryStore(), VirtualClock(), 1, components=API_SERVER_ALONE) as made:
        if not any(objects.name(found) == "kube-system" for found in (await made.client().list(NAMESPACES))["items"]):
            await made.client().create(NAMESPACES, {"metadata": {"name": "kube-system"}})
        yield made


@pytest.fixture
def clock(plane: ControlPlane) -> VirtualClock:
    assert isinstance(plane.clock, VirtualClock)
    return plane.clock


async def lease(plane: ControlPlane) -> dict[str, Any]:
    found: dict[str, Any] = (await plane.client().get(LEASES, "kube-scheduler", "kube-system"))["spec"]
    return found


async def test_one_acts_and_says_so(plane: ControlPlane, clock: VirtualClock) -> None:
    stage = Stage()
    replicas = [Replica(plane, clock, stage, name) for name in ("a", "b", "c")]
    await clock.sleep(1)
    [leader] = stage.acting
    before = await lease(plane)
    assert before["holderIdentity"] == leader and before["leaseDurationSeconds"] == 15 and before["leaseTransitions"] == 0
    await clock.sleep(60)
    after = await lease(plane)
    assert stage.history == [leader] and after["acquireTime"] == before["acquireTime"] and after["renewTime"] > before["renewTime"]
    events = (await plane.client().list(EVENTS, "kube-system"))["items"]
    assert [(event["reason"], event["message"]) for event in events] == [("LeaderElection", f"{leader} became leader")]
    for replica in replicas:
        assert await replica.end()


async def test_who_ends_in_order_lets_go(plane: ControlPlane, clock: VirtualClock) -> None:
    stage = Stage()
    first = Replica(plane, clock, stage, "first")
    await clock.sleep(1)
    second = Replica(plane, clock, stage, "second")
    await clock.sleep(5)
    assert await first.end()
    released = await lease(plane)
    assert "holderIdentity" not in released and released["leaseDurationSeconds"] == 1
    await clock.sleep(5)  # two retries, with their jitter
    assert stage.acting == ["second"] and (await lease(plane))["leaseTransitions"] == 1
    assert await second.end()


async def test_a_dead_leader_is_followed_after_its_lease_and_not_before(plane: ControlPlane, clock: VirtualClock) -> None:
    stage = Stage()
    first = Replica(plane, clock, stage, "first")
    await clock.sleep(1)
    second = Replica(plane, clock, stage, "second")
    await clock.sleep(20)
    first.task.cancel()
    await asyncio.gather(first.task, return_exceptions=True)
    await clock.sleep(10)
    assert stage.acting == []
    await clock.sleep(11)
    assert stage.history == ["first", "second"]
    await second.end()


@pytest.mark.parametrize("trouble", ["cut", "swallows"])
async def test_a_leader_that_is_cut_off_stops_before_anybody_follows(plane: ControlPlane, clock: VirtualClock, trouble: str) -> None:
    stage = Stage()
    first = Replica(plane, clock, stage, "first")
    await clock.sleep(1)
    second = Replica(plane, clock, stage, "second")
    await clock.sleep(20)
    setattr(first.line, trouble, True)
    await clock.sleep(60)
    assert first.task.done() and not first.task.result(), "it says that the Lease is lost"
    assert stage.history == ["first", "second"]
    assert await second.end()


async def test_a_short_trouble_changes_nothing(plane: ControlPlane, clock: VirtualClock) -> None:
    stage = Stage()
    first = Replica(plane, clock, stage, "first")
    await clock.sleep(1)
    second = Replica(plane, clock, stage, "second")
    for _ in range(5):
        first.line.cut = True
        await clock.sleep(7)
        first.line.cut = False
        await clock.sleep(7)
    assert stage.history == ["first"]
    assert await first.end() and await second.end()


async def test_many_die_and_come_back(plane: ControlPlane, clock: VirtualClock) -> None:
    """Never two at a time, and never nobody for longer than a Lease and the waits between two looks."""
    stage, randomness = Stage(), random.Random(7)
    replicas = [Replica(plane, clock, stage, f"r{number}") for number in range(4)]
    for turn in range(60):
        victim = randomness.randrange(4)
        replicas[victim].task.cancel()
        await asyncio.gather(replicas[victim].task, return_exceptions=True)
        replicas[victim] = Replica(plane, clock, stage, f"r{victim}-{turn}")
        cut = replicas[randomness.randrange(4)]
        cut.line.cut = randomness.random() < 0.5
        await clock.sleep(randomness.uniform(0, 12))
        cut.line.cut = False
        await clock.sleep(22)
        assert len(stage.acting) == 1, turn
        replicas = [Replica(plane, clock, stage, f"r-{turn}") if each.task.done() else each for each in replicas]
    assert len(set(stage.history)) > 10
    for replica in replicas:
        await replica.end()


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ((10, 10, 2), "leaseDuration must be greater than renewDeadline"),
        ((15, 2, 2), "renewDeadline must be greater than retryPeriod*JitterFactor"),
        ((15, 10, 0), "retryPeriod must be greater than zero"),
    ],
)
def test_times_that_cannot_be(times: tuple[float, float, float], words: str) -> None:
    with pytest.raises(ValueError) as error:
        ElectionTimes(*times)
    assert str(error.value) == words


async def test_two_controller_managers_make_no_pod_twice(plane: ControlPlane, clock: VirtualClock) -> None:
    """The leader dies in the middle of making a StatefulSet's pods; another one goes on with them."""
    client, dead, buried, made = plane.client(), asyncio.Event(), asyncio.Event(), 0

    class Dying(Line):
        async def request(self, request: ApiRequest) -> ApiResponse:
            nonlocal made
            if dead.is_set():
                await buried.wait()
                self.cut = True
            answer = await super().request(request)
            if request.verb == "create" and request.resource == PODS:
                made += 1
                if made == 3:
                    dead.set()
            return answer

    def manager(name: str, line: Line) -> tuple[LeaderElector, asyncio.Task[bool]]:
        own = Client(line)

        async def act(over: asyncio.Event) -> None:
            informers = InformerFactory(own, clock)
            try:
                await KubeControllerManager(
                    lambda who: Client(line), informers, clock, random.Random(name), ("serviceaccount-controller", "statefulset-controller")
                ).run(lambda: None, over)
            finally:
                await informers.stop()

        elector = LeaderElector(own, clock, random.Random(name), EventRecorder(own, clock, name), name, name="kube-scheduler")
        return elector, asyncio.create_task(elector.run(act, stop))

    stop = asyncio.Event()
    _, first = manager("first", Dying(plane.client().transport))
    await clock.sleep(1)
    second, following = manager("second", Line(plane.client().transport))
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {
        "replicas": 5,
        "podManagementPolicy": "Parallel",
        "serviceName": "db",
        "selector": {"matchLabels": labels},
        "template": template,
    }
    await client.create(NAMESPACES, {"metadata": {"name": "work"}})
    await client.create(STATEFUL_SETS, {"metadata": {"name": "db"}, "spec": spec}, "work")
    await clock.sleep(5)
    assert dead.is_set()
    await clock.sleep(40)
    assert second.leads
    pods = (await client.list(PODS, "work"))["items"]
    assert sorted(objects.name(pod) for pod in pods) == [f"db-{number}" for number in range(5)]
    stop.set()
    buried.set()
    await asyncio.gather(first, following, return_exceptions=True)
