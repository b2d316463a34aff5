"""The components of a control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet.

Each is a small adapter from the component's own constructor to `component.Component`. Everyone but etcd is a client of
kube-apiserver with an identity, caches and randomness of its own. What a component needs is imported when it runs, so that a
control plane pays only for the components it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kctl.apimachinery import user
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.daemon.component import ComponentContext, ComponentMaker

if TYPE_CHECKING:
    from controllers.kube_controller_manager.main import KubeControllerManager
    from controllers.kube_scheduler.main import KubeScheduler
    from controllers.kubelet.fleet import KubeletFleet
    from controllers.kubelet.network.api_server import ApiForPods
    from controllers.kubelet.process_pods import ProcessPods
    from store.etcd import Etcd

SMALL_CLUSTER_CIDR, SMALL_CLUSTER_NODES = "10.244.0.0/16", 250
LARGE_CLUSTER_CIDR = "10.128.0.0/9"
"""Each node gets a /24 of it; the large range holds the small one, so that a cluster can grow."""
SIMULATED_ONLY = "simulated-only"
RUNTIME_CLASSES = built_in("node.k8s.io/v1", "RuntimeClass")


class EtcdComponent:
    name = "etcd"
    dependencies: tuple[str, ...] = ()

    def __init__(self, context: ComponentContext) -> None:
        self._store = context.store

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        await self._store.start()
        try:
            ready()
            await _until_stopped_or_lost(self._store, stop)
        finally:
            await self._store.close()


async def _until_stopped_or_lost(store: Etcd, stop: asyncio.Event) -> None:
    """Raises StoreError when the files were taken away: a cluster without them must not look alive."""
    stopping, losing = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(store.lost())
    try:
        await asyncio.wait({stopping, losing}, return_when=asyncio.FIRST_COMPLETED)
        if losing.done():
            raise losing.result()
    finally:
        stopping.cancel()
        losing.cancel()


class KubeApiserverComponent:
    """For clients in this process. `SecureServing` opens a port."""

    name = "kube-apiserver"
    dependencies: tuple[str, ...] = ("etcd",)

    def __init__(self, context: ComponentContext) -> None:
        self._server = context.api_server

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        await self._server.start()
        try:
            await self.listen()
            ready()
            await stop.wait()
        finally:
            await self._server.stop()

    async def listen(self) -> None:
        return


class KubeControllerManagerComponent:
    """`controllers` as the flag of that name."""

    name = "kube-controller-manager"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, context: ComponentContext, controllers: Sequence[str] = ("*",)) -> None:
        self._context = context
        self._controllers = controllers
        self.manager: KubeControllerManager

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        from controllers.kube_controller_manager.main import IDENTITY, KubeControllerManager, Options

        context = self._context
        cidr = SMALL_CLUSTER_CIDR if len(context.nodes) <= SMALL_CLUSTER_NODES else LARGE_CLUSTER_CIDR
        config = context.api_server.config
        options = Options(root_ca=config.cluster_ca.decode(), signing_key=config.cluster_signing_key, cluster_cidr=cidr)
        async with context.informers(IDENTITY) as informers:
            self.manager = KubeControllerManager(
                context.client_for, informers, context.clock, context.randomness(self.name), self._controllers, options=options
            )
            await self.manager.run(ready, stop)


class KubeSchedulerComponent:
    name = "kube-scheduler"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, context: ComponentContext) -> None:
        self._context = context
        self.scheduler: KubeScheduler

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        from controllers.kube_scheduler.main import KubeScheduler

        context, identity = self._context, user.component(self.name)
        async with context.informers(identity) as informers:
            client = context.client_for(identity)
            self.scheduler = KubeScheduler(client, informers, context.clock, context.randomness(self.name))
            context.api_server.parts.scheduler.answers = self.scheduler.answers
            await self.scheduler.run(ready, stop)


@dataclass(frozen=True, slots=True)
class Processes:
    """How pods run as processes of this machine: `folder` keeps what is known of them, `images` is a map of full names, `default` the
    RuntimeClass handler of pods without a class, or SIMULATED_ONLY: none may."""

    folder: Path
    images: Mapping[str, str] = field(default_factory=dict)
    default: str = "simulated"
    isolation: str = "any"
    """What containers have of namespaces of their own: mounts, user or none; "any" for the best that the machine allows."""
    api_server_port: Callable[[], int] = lambda: 0
    """Where kube-apiserver listens on this machine, 0 where it does not."""


def runtime_class(handler: str) -> Object:
    return {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": handler}, "handler": handler}


class KubeletComponent:
    """The kubelets of all simulated nodes: each writes as its own node, one cache serves them all."""

    name = "kubelet"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, context: ComponentContext, *, resource_metrics: bool = True, processes: Processes | None = None) -> None:
        """`resource_metrics`: what pods use is served, as with a metrics server in the cluster. `processes`: pods may be processes of
        this machine."""
        self._context = context
        self._resource_metrics = resource_metrics
        self._processes = processes
        self.fleet: KubeletFleet

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        from controllers.kubelet.fleet import KubeletFleet

        context = self._context
        async with context.informers(user.SIMULATED_NODES) as informers:
            randomness = context.randomness(self.name)
            processes = await self._process_pods()
            self.fleet = KubeletFleet(context.client_for, informers, context.clock, randomness, context.nodes, processes=processes)
            context.api_server.kubelet_connector = self.fleet
            context.api_server.parts.kubelets.dialer = self.fleet
            self.fleet.api = self._pod_api
            serving = context.clock.call_later(_AFTER_START_SECONDS, self._serve_metrics) if self._resource_metrics else None
            try:
                await self.fleet.run(ready, stop)
            finally:
                if serving is not None:
                    serving.cancel()

    async def _process_pods(self) -> ProcessPods | None:
        """With the RuntimeClasses by which pods choose."""
        if self._processes is None:
            return None
        from controllers.kubelet.process_pods import HANDLERS, SIMULATED, ProcessPods
        from kctl.apimachinery.status import AlreadyExists

        given, context = self._processes, self._context
        client = context.client_for(user.APISERVER)
        forbidden = given.default == SIMULATED_ONLY
        for handler in (SIMULATED,) if forbidden else HANDLERS:
            try:
                await client.create(RUNTIME_CLASSES, runtime_class(handler))
            except AlreadyExists:
                continue
        if forbidden:
            from kctl.daemon.no_processes import forbid

            await forbid(client, given.folder, context.clock)
            return None
        return ProcessPods(
            given.folder,
            context.clock,
            context.randomness("process-runtime"),
            given.images,
            given.default,
            given.isolation,
            given.api_server_port,
            self._announce_dns,
        )

    async def _announce_dns(self, address: str) -> None:
        from kctl.daemon.cluster_dns import announce

        await announce(self._context.api_server.registry, address)

    def _pod_api(self) -> ApiForPods:
        from kctl.daemon.pod_api import PodApi

        return PodApi(self._context.api_server)

    def _serve_metrics(self) -> None:
        """No start waits for it, or pays for it."""
        from kctl.kube_apiserver.virtual_resources import resource_metrics

        resource_metrics.serve(self._context.api_server.registry, self.fleet)


_AFTER_START_SECONDS = 0.05

API_SERVER_ALONE: tuple[ComponentMaker, ...] = (EtcdComponent, KubeApiserverComponent)


def unknown_controller(wanted: Sequence[str]) -> str:
    """The first name in a list of `--controllers` that no controller has; '' where there is none."""
    from controllers.kube_controller_manager import main

    return main.unknown_controller(wanted)


CLIENTS_OF_THE_API_SERVER: tuple[ComponentMaker, ...] = (KubeControllerManagerComponent, KubeSchedulerComponent, KubeletComponent)
WHOLE_CLUSTER: tuple[ComponentMaker, ...] = (*API_SERVER_ALONE, *CLIENTS_OF_THE_API_SERVER)
"""In start order."""
