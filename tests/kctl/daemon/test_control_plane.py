"""One composition root: what it is made of, that nothing is shared by two of them, and who reads as whom."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest

from kctl.apimachinery import objects, user
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, NODES, PODS
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.client.transport import ApiRequest, ApiResponse
from kctl.daemon.component import ComponentContext
from kctl.daemon.components import API_SERVER_ALONE, KubeControllerManagerComponent, KubeletComponent, KubeSchedulerComponent
from kctl.daemon.config import ClusterConfig
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.nodes import simulated_nodes
from kctl.kube_apiserver import bootstrap
from kctl.kube_apiserver.in_process import InProcessTransport
from store.memory import MemoryStore


def _plane(seed: int | None = None) -> ControlPlane:
    return ControlPlane(MemoryStore(), RealClock(), seed, simulated_nodes(ClusterConfig("test", nodes=2)))


async def _until_running(client: Client) -> Object:
    for _ in range(500):
        pods = (await client.list(PODS, "default"))["items"]
        if pods and objects.status(pods[0]).get("phase") == "Running":
            return pods[0]  # type: ignore[no-any-return]
        await asyncio.sleep(0.02)
    raise AssertionError("no pod runs")


async def test_a_whole_cluster_in_memory_runs_pods() -> None:
    async with _plane() as plane:
        assert list(plane.states) == ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"]
        client = plane.client()
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        await client.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec}, "default")
        await _until_running(client)


async def test_stopping_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    async with _plane():
        assert asyncio.all_tasks() != before
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_the_interpreter_is_left_as_it_was() -> None:
    before = gc.isenabled(), gc.get_freeze_count(), sys.getswitchinterval()
    async with _plane():
        assert (gc.isenabled(), gc.get_freeze_count(), sys.getswitchinterval()) == before


async def test_two_of_them_share_nothing() -> None:
    async with _plane() as one, _plane() as other:
        await one.client().create(CONFIG_MAPS, {"metadata": {"name": "mine"}}, "default")
        names = [objects.name(entry) for entry in (await other.client().list(CONFIG_MAPS, "default"))["items"]]
        assert "mine" not in names


async def test_what_every_cluster_contains_is_parsed_once_and_stays_as_it_was() -> None:
    before = repr(bootstrap._manifests())
    async with ControlPlane(MemoryStore(), RealClock(), components=API_SERVER_ALONE):
        assert repr(bootstrap._manifests()) == before


@pytest.mark.parametrize(("seed", "same"), [(1, True), (None, False)])
def test_randomness_is_a_stream_for_each_name(seed: int | None, same: bool) -> None:
    contexts = [_plane(seed)._context for _ in range(2)]
    one, two = (context.randomness("kubelet").random() for context in contexts)
    assert (one == two) is same
    assert contexts[0].randomness("kube-scheduler").random() != one


async def test_an_own_component_gets_the_context_and_its_place_in_the_order() -> None:
    class Probe:
        name = "probe"
        dependencies = ("kube-apiserver",)

        def __init__(self, context: ComponentContext) -> None:
            self.context = context
            self.seen: Object = {}

        async def run(self, ready: object, stop: asyncio.Event) -> None:
            assert callable(ready)
            self.seen = await self.context.client_for(user.ADMIN).list(NODES)
            ready()
            await stop.wait()

    async with ControlPlane(MemoryStore(), RealClock(), components=(*API_SERVER_ALONE, Probe)) as plane:
        assert plane.component(Probe).context.clock is plane.clock
        assert plane.states["probe"].ready
        assert plane.component(Probe).seen["kind"] == "NodeList"
    with pytest.raises(ValueError, match="probe depends on kube-apiserver"):
        ControlPlane(MemoryStore(), RealClock(), components=(Probe,))
    with pytest.raises(KeyError, match="KubeletComponent"):
        ControlPlane(MemoryStore(), RealClock(), components=API_SERVER_ALONE).component(KubeletComponent)


async def test_each_component_reads_as_itself_and_all_hold_the_same_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    readers: dict[str, set[str]] = {}
    ask = InProcessTransport.request

    async def request(self: InProcessTransport, request: ApiRequest) -> ApiResponse:
        if request.verb == "watch":
            who: User = self._user
            readers.setdefault(request.resource.plural, set()).add(who.name)
        return await ask(self, request)

    monkeypatch.setattr(InProcessTransport, "request", request)
    async with _plane() as plane:
        manager = plane.component(KubeControllerManagerComponent).manager
        scheduler = plane.component(KubeSchedulerComponent).scheduler
        fleet = plane.component(KubeletComponent).fleet
        copies = [cache.informer(NODES).get("test-worker-1") for cache in (manager._informers, scheduler._informers, fleet._informers)]
        assert copies[0] is not None and copies[0] is copies[1] is copies[2]
    assert readers["pods"] == {"system:kube-controller-manager", "system:kube-scheduler", "kctl:simulated-nodes"}
    assert readers["nodes"] == readers["pods"]
