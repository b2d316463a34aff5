"""A cluster of nothing but an API server in memory and simulated kubelets, in simulated time that the test steps."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any

from controllers.kubelet.fleet import KubeletFleet
from controllers.kubelet.node_config import NodeConfig
from controllers.kubelet.runtime import ContainerRuntime
from controllers.runtime.informer import InformerFactory
from kctl.apimachinery import objects, user
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS, NODES, PODS, SERVICE_ACCOUNTS
from kctl.apimachinery.status import AlreadyExists, NotFound
from kctl.client.client import Client
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


class Cluster:
    """`pods` run on node "n1" unless they say otherwise."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        clock: VirtualClock | None = None,
        runtime_for: Callable[[NodeConfig], ContainerRuntime | None] | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.store = store or MemoryStore()
        config = ApiServerConfig(advertise_address="192.0.2.1")
        self.server = ApiServer(self.store, clock=self.clock, randomness=random.Random(1), config=config)
        self.client = Client(self.server.transport(user.ADMIN))
        self.informers = InformerFactory(Client(self.server.component_transport(user.SIMULATED_NODES)), self.clock)
        self.fleet: KubeletFleet | None = None
        self._runtime_for = runtime_for

    async def start(self, nodes: Sequence[NodeConfig]) -> None:
        await self.server.start()
        account: Object = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": "default"},
        }
        with contextlib.suppress(AlreadyExists):  # no mounted token: nobody publishes the cluster's CA here
            await self.client.create(SERVICE_ACCOUNTS, {**account, "automountServiceAccountToken": False})
        self.fleet = KubeletFleet(
            lambda who: Client(self.server.component_transport(who)),
            self.informers,
            self.clock,
            random.Random(2),
            nodes,
            runtime_for=self._runtime_for,
        )
        await self.fleet.start()
        self.server.kubelet_connector = self.fleet
        await self.settle()

    async def stop(self) -> None:
        if self.fleet is not None:
            await self.fleet.stop()
        await self.informers.stop()
        await self.server.stop()

    async def settle(self) -> None:
        await self.clock.step()

    async def step(self, seconds: float) -> None:
        await self.clock.step(seconds)

    async def create(self, pod: Object) -> Object:
        made = await self.client.create(PODS, pod)
        await self.settle()
        return made

    async def pod(self, name: str = "p") -> Object:
        return await self.client.get(PODS, name, "default")

    async def gone(self, name: str = "p") -> bool:
        try:
            await self.pod(name)
        except NotFound:
            return True
        return False

    async def delete(self, name: str = "p", grace: int | None = None) -> None:
        await self.client.delete(PODS, name, "default", grace_period_seconds=grace)
        await self.settle()

    async def node(self, name: str = "n1") -> Object:
        return await self.client.get(NODES, name)

    async def events(self, name: str = "p") -> list[tuple[str, str]]:
        """(reason, message) of an object's events in the order they were made."""
        assert self.fleet is not None and self.fleet._recorder is not None
        await self.fleet._recorder.sink.flush()
        found = (await self.client.list(EVENTS))["items"]
        about = [event for event in found if event["involvedObject"]["name"] == name]
        about.sort(key=lambda event: str(event["metadata"]["name"]))
        return [(event["reason"], event["message"]) for event in about]


def pod(name: str = "p", *, annotations: dict[str, str] | None = None, containers: list[Object] | None = None, **spec: Any) -> Object:
    """A pod on node n1; annotations without their prefix kctl.dev/."""
    meta: Object = {"name": name, "namespace": "default"}
    if annotations:
        meta["annotations"] = {f"kctl.dev/{key}": value for key, value in annotations.items()}
    found = containers or [container("c")]
    body = {
        "nodeName": "n1",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "containers": found,
        **spec,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body}


def container(name: str = "c", **more: Any) -> Object:
    return {"name": name, "image": "nginx:1.27", "imagePullPolicy": "IfNotPresent", **more}


def conditions(obj: Object) -> dict[str, str]:
    """type to status, or to 'status reason'"""
    return {entry["type"]: f"{entry['status']} {entry.get('reason', '')}".strip() for entry in objects.status(obj).get("conditions") or ()}


def state(obj: Object, name: str = "c") -> str:
    """'running', 'waiting CrashLoopBackOff', 'terminated Error 1' of one container."""
    status = objects.status(obj)
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if entry["name"] == name:
            ((kind, detail),) = entry["state"].items()
            words = [kind, detail.get("reason"), detail.get("exitCode")]
            return " ".join(str(word) for word in words if word is not None)
    return ""
