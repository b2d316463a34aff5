"""A control plane of API server, kube-controller-manager and hollow nodes, in memory and in simulated time.

The hollow nodes stand for scheduler and kubelets: they bind pods round robin, report them Running and Ready, and remove
those that are being deleted. `settle` lets time pass, until nothing has anything to do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

from controllers.kube_controller_manager.main import KubeControllerManager
from controllers.kubelet.node_config import NodeConfig
from controllers.runtime.informer import Change
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock, VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS, NODES, PODS, ResourceType
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.times import rfc3339
from kctl.apimachinery.user import ADMIN
from kctl.daemon.component import ComponentContext
from kctl.daemon.components import API_SERVER_ALONE, KubeControllerManagerComponent
from kctl.daemon.control_plane import ControlPlane as WholeControlPlane
from kctl.kube_apiserver.config import ApiServerConfig
from store.memory import MemoryStore

NODE_NAMES = ("node-0", "node-1", "node-2")


class HollowNodes:
    """A component. `ready(pod)` decides whether a pod becomes ready; `enabled` stops everything."""

    name = "kubelet"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, context: ComponentContext) -> None:
        self._context = context
        self.client = context.client_for(ADMIN)
        self.clock = context.clock
        self.names = [node.name for node in context.nodes]
        self.enabled = True
        self.ready: Callable[[Object], bool] = lambda pod: True
        self.busy = 0
        self._next = 0
        self._address = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        async with self._context.informers(ADMIN) as informers:
            informers.informer(PODS).add_handler(self._changed)
            await informers.start()
            ready()
            await stop.wait()

    def _changed(self, changes: Sequence[Change]) -> None:
        for _, pod in changes:
            if pod is not None and self.enabled:
                task = asyncio.get_running_loop().create_task(self._step(pod))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _step(self, pod: Object) -> None:
        with contextlib.suppress(NotFound):
            name, space, uid = objects.name(pod), objects.namespace(pod), objects.uid(pod)
            if objects.deletion_timestamp(pod):
                await self.client.delete(PODS, name, space, grace_period_seconds=0, uid=uid)
            elif not objects.spec(pod).get("nodeName"):
                if not objects.spec(pod).get("nodeSelector"):
                    self._next += 1
                    await self.client.bind(space, name, self.names[self._next % len(self.names)], uid=uid)
            elif objects.status(pod).get("phase") not in ("Running", "Succeeded", "Failed") and self.ready(pod):
                await self.client.update_status(PODS, objects.replace(pod, status=self._running(pod)))

    def _running(self, pod: Object) -> dict[str, Any]:
        now = rfc3339(self.clock.now())
        self._address += 1
        ip = f"10.244.{self._address // 250}.{self._address % 250 + 1}"
        types = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in types]
        return {
            **objects.status(pod),
            "phase": "Running",
            "conditions": conditions,
            "hostIP": "10.0.0.1",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "startTime": now,
        }


class ControlPlane:
    def __init__(self, clock: Clock, controllers: Sequence[str]) -> None:
        self.clock = clock
        self.whole = WholeControlPlane(
            MemoryStore(),
            clock,
            1,
            [NodeConfig(name) for name in NODE_NAMES],
            (*API_SERVER_ALONE, partial(KubeControllerManagerComponent, controllers=controllers), HollowNodes),
            config=ApiServerConfig(cluster_ca=b"-----BEGIN CERTIFICATE-----\n"),
        )
        self.client = self.whole.client()
        self.nodes = self.whole.component(HollowNodes)

    @property
    def manager(self) -> KubeControllerManager:
        return self.whole.component(KubeControllerManagerComponent).manager

    async def settle(self, seconds: float = 0.0) -> None:
        """Until everything is quiet, `seconds` later."""
        assert isinstance(self.clock, VirtualClock)
        await self.clock.step(seconds)

    async def until(self, holds: Callable[[], Any], seconds: float = 30.0) -> None:
        """Lets time pass until `holds()`."""
        for _ in range(int(seconds / 0.25)):
            await self.settle(0.25)
            if await holds():
                return
        raise AssertionError("did not happen in time")

    async def get(self, resource: ResourceType, name: str, namespace: str = "default") -> Object:
        return await self.client.get(resource, name, namespace if resource.namespaced else "")

    async def exists(self, resource: ResourceType, name: str, namespace: str = "default") -> bool:
        try:
            await self.get(resource, name, namespace)
        except NotFound:
            return False
        return True

    async def items(self, resource: ResourceType, namespace: str = "default", selector: str = "") -> list[Object]:
        answer = await self.client.list(resource, namespace if resource.namespaced else "", label_selector=selector)
        return list(answer.get("items") or ())

    async def events(self, namespace: str = "default") -> list[tuple[str, str, str, int]]:
        """(object kind, reason, message, count), sorted."""
        await self.manager.context.sink.flush()
        found = [
            (event["involvedObject"]["kind"], event["reason"], event["message"], event.get("count", 1))
            for event in await self.items(EVENTS, namespace)
        ]
        return sorted(found)

    async def merge(self, resource: ResourceType, name: str, patch: Object, namespace: str = "default") -> Object:
        return await self.client.patch(resource, name, patch, namespace if resource.namespaced else "")

    async def add_node(self, name: str, ready: str = "True") -> Object:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        await self.client.create(NODES, node)
        return await self.report_node(name, ready)

    async def report_node(self, name: str, ready: str = "True") -> Object:
        now = rfc3339(self.clock.now())
        condition = {"type": "Ready", "status": ready, "lastHeartbeatTime": now, "lastTransitionTime": now}
        patch = {"status": {"conditions": [condition]}}
        return await self.client.patch(NODES, name, patch, subresource="status")


@contextlib.asynccontextmanager
async def control_plane(*controllers: str, clock: Clock | None = None) -> AsyncIterator[ControlPlane]:
    plane = ControlPlane(clock or VirtualClock(), ("serviceaccount-controller", *(controllers or ("*",))))
    async with plane.whole:
        if isinstance(plane.clock, VirtualClock):
            await plane.settle()  # no pod is admitted before its ServiceAccount is there
        yield plane


def deployment(name: str = "web", replicas: int = 3, image: str = "img:1", **spec: Any) -> Object:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def new_image(image: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
