"""A whole cluster in memory and in simulated time, scheduler and simulated kubelets among it, with what tests ask of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from controllers.kubelet.node_config import NodeConfig
from kctl.apimachinery import objects
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS, PODS, ResourceType
from kctl.apimachinery.status import NotFound
from kctl.daemon.api_server_config import api_server_config
from kctl.daemon.components import (
    API_SERVER_ALONE,
    KubeControllerManagerComponent,
    KubeletComponent,
    KubeSchedulerComponent,
)
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.pki import Pki
from kctl.daemon.secure_serving import server_ssl_context
from store.memory import MemoryStore


class Cluster:
    def __init__(self, plane: ControlPlane, clock: VirtualClock) -> None:
        self.plane = plane
        self.clock = clock
        self.client = plane.client()

    async def settle(self, seconds: float = 0.0) -> None:
        await self.clock.step(seconds)

    async def create(self, resource: ResourceType, name: str, namespace: str = "default", meta: Object | None = None, **top: Any) -> Object:
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name, **(meta or {})}, **top}
        return await self.client.create(resource, body, namespace if resource.namespaced else "")

    async def get(self, resource: ResourceType, name: str, namespace: str = "default") -> Object:
        return await self.client.get(resource, name, namespace if resource.namespaced else "")

    async def exists(self, resource: ResourceType, name: str, namespace: str = "default") -> bool:
        try:
            await self.get(resource, name, namespace)
        except NotFound:
            return False
        return True

    async def items(self, resource: ResourceType, namespace: str = "default") -> list[Object]:
        answer = await self.client.list(resource, namespace if resource.namespaced else "")
        return list(answer.get("items") or ())

    async def merge(self, resource: ResourceType, name: str, patch: Object, namespace: str = "default", subresource: str = "") -> Object:
        return await self.client.patch(resource, name, patch, namespace if resource.namespaced else "", subresource=subresource)

    async def delete(self, resource: ResourceType, name: str, namespace: str = "default") -> None:
        await self.client.delete(resource, name, namespace if resource.namespaced else "")

    async def pod(self, name: str, *volumes: Object, **spec: Any) -> Object:
        containers = spec.pop("containers", [{"name": "c", "image": "i"}])
        return await self.create(PODS, name, spec={"containers": containers, "volumes": list(volumes), **spec})

    async def phase(self, resource: ResourceType, name: str, namespace: str = "default") -> str:
        return str(objects.status(await self.get(resource, name, namespace)).get("phase"))

    async def events(self, name: str, namespace: str = "default") -> list[tuple[str, str, str]]:
        """(type, reason, message) of what was said of an object, in order, after a second for the last of it."""
        await self.settle(1.5)
        about = [event for event in await self.items(EVENTS, namespace) if event["involvedObject"]["name"] == name]
        about.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [(event["type"], event["reason"], event["message"]) for event in about]

    async def condition(self, pod: str, kind: str = "PodScheduled") -> str:
        return str((objects.condition(await self.get(PODS, pod), kind) or {}).get("message") or "")


def claim_volume(claim: str, name: str = "v") -> Object:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


@contextlib.asynccontextmanager
async def whole_cluster(
    nodes: int = 3, *, controllers: Sequence[str] = ("*",), store: MemoryStore | None = None, keys: Pki | None = None
) -> AsyncIterator[Cluster]:
    """With `keys` programs in pods can verify the API server, and extension API servers know it."""
    clock = VirtualClock()
    manager = partial(KubeControllerManagerComponent, controllers=controllers)
    configs = [NodeConfig(f"node-{number}") for number in range(nodes)]
    components = (*API_SERVER_ALONE, manager, KubeSchedulerComponent, KubeletComponent)
    config = api_server_config(keys, "192.0.2.1") if keys is not None else None
    plane = ControlPlane(store or MemoryStore(), clock, 1, configs, components, config=config)
    if keys is not None:
        plane.server.parts.kubelets.tls = server_ssl_context(keys)
    async with plane:
        await clock.step(2)
        yield Cluster(plane, clock)
