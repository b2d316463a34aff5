"""The list of what `kctl run-cluster` starts, in order: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet.

Each entry is a small adapter from the component's own constructor to `component.Component`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kctl.apimachinery import user
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.daemon.component import Component
from kctl.daemon.config import DEFAULT_PORT_OR_FREE, ClusterConfig
from kctl.daemon.pki import Pki

if TYPE_CHECKING:
    import ssl

    from controllers.kubelet.node_config import NodeConfig, StaticPod
    from controllers.runtime.informer import InformerFactory
    from kctl.kube_apiserver.server import ApiServer
    from store.etcd import Etcd

DEFAULT_PORT = 6443
SMALL_CLUSTER_CIDR, SMALL_CLUSTER_NODES = "10.244.0.0/16", 250
LARGE_CLUSTER_CIDR = "10.128.0.0/9"
"""Each node gets a /24 of it; the large range holds the small one, so that a cluster can grow."""


class PortInUse(Exception):
    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is already in use; give another one with --port (0 chooses a free one)")


class EtcdComponent:
    name = "etcd"
    dependencies: tuple[str, ...] = ()

    def __init__(self, state: Path) -> None:
        from store.sqlite import SqliteStore

        self.store: Etcd = SqliteStore(state)

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        await self.store.start()
        try:
            ready()
            await stop.wait()
        finally:
            await self.store.close()


class KubeApiserverComponent:
    name = "kube-apiserver"
    dependencies: tuple[str, ...] = ("etcd",)

    def __init__(self, store: Etcd, pki: Pki, config: ClusterConfig, clock: Clock, randomness: random.Random) -> None:
        from kctl.daemon.api_server_config import api_server_config
        from kctl.kube_apiserver.server import ApiServer

        self._pki = pki
        self._config = config
        self.api_server: ApiServer = ApiServer(store, clock=clock, randomness=randomness, config=api_server_config(pki, config.host))
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://{self._config.host}:{self.port}"

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        await self.api_server.start()
        try:
            self.port = await self._serve()
            ready()
            await stop.wait()
        finally:
            await self.api_server.stop()

    async def _serve(self) -> int:
        """The port wanted; where none was asked for 6443, or any free one if that is taken."""
        context, host, wanted = server_ssl_context(self._pki), self._config.host, self._config.port
        if wanted == DEFAULT_PORT_OR_FREE:
            try:
                return await self.api_server.serve(host, DEFAULT_PORT, context)
            except OSError:
                wanted = 0
        try:
            return await self.api_server.serve(host, wanted, context)
        except OSError as error:
            raise PortInUse(wanted) from error


def server_ssl_context(pki: Pki) -> ssl.SSLContext:
    """TLS as kube-apiserver: our certificate, client certificates of our authority asked for but not required."""
    import ssl

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki["apiserver.crt"], pki["apiserver.key"])
    context.load_verify_locations(pki["ca.crt"])
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


class KubeControllerManagerComponent:
    name = "kube-controller-manager"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, parts: Parts, root_ca: str, nodes: int) -> None:
        self._parts = parts
        self._root_ca = root_ca
        self._cluster_cidr = SMALL_CLUSTER_CIDR if nodes <= SMALL_CLUSTER_NODES else LARGE_CLUSTER_CIDR

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        from controllers.kube_controller_manager.main import KubeControllerManager, Options

        parts = self._parts
        manager = KubeControllerManager(
            parts.client_for,
            parts.informers,
            parts.clock,
            parts.randomness,
            options=Options(root_ca=self._root_ca, cluster_cidr=self._cluster_cidr),
        )
        await manager.run(ready, stop)


class KubeSchedulerComponent:
    name = "kube-scheduler"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        from controllers.kube_scheduler.main import KubeScheduler

        parts = self._parts
        client = parts.client_for(user.component("kube-scheduler"))
        await KubeScheduler(client, parts.informers, parts.clock, parts.randomness).run(ready, stop)


class KubeletComponent:
    name = "kubelet"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, parts: Parts, nodes: list[NodeConfig]) -> None:
        self._parts = parts
        self._nodes = nodes

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        from controllers.kubelet.fleet import KubeletFleet

        parts = self._parts
        fleet = KubeletFleet(parts.client_for, parts.informers, parts.clock, parts.randomness, self._nodes)
        parts.api_server.kubelet_connector = fleet
        await fleet.run(ready, stop)


class Parts:
    """What the clients of kube-apiserver share: one informer cache, one clock, one source of randomness."""

    def __init__(self, api_server: ApiServer, clock: Clock, randomness: random.Random) -> None:
        self.api_server = api_server
        self.clock = clock
        self.randomness = randomness
        self._informers: InformerFactory | None = None

    def client_for(self, who: User) -> Client:
        return Client(self.api_server.component_transport(who))

    @property
    def informers(self) -> InformerFactory:
        if self._informers is None:
            from controllers.runtime.informer import InformerFactory

            self._informers = InformerFactory(self.client_for(user.component("kube-controller-manager")), self.clock)
        return self._informers


def node_names(cluster: str, count: int) -> list[str]:
    """The first is the control plane: kctl-control-plane, kctl-worker-1, kctl-worker-2, ..."""
    return [f"{cluster}-control-plane", *(f"{cluster}-worker-{number}" for number in range(1, count))]


def component_list(
    state: Path,
    pki: Pki,
    config: ClusterConfig,
    clock: Clock,
    randomness: random.Random,
    static_pods: list[StaticPod],
) -> tuple[list[Component], KubeApiserverComponent]:
    """All components in start order, and the API server's among them."""
    etcd = EtcdComponent(state)
    apiserver = KubeApiserverComponent(etcd.store, pki, config, clock, randomness)
    parts = Parts(apiserver.api_server, clock, randomness)
    components: list[Component] = [
        etcd,
        apiserver,
        KubeControllerManagerComponent(parts, pki["ca.crt"].read_text(), config.nodes),
        KubeSchedulerComponent(parts),
        KubeletComponent(parts, _node_configs(config, static_pods)),
    ]
    return components, apiserver


def _node_configs(config: ClusterConfig, static_pods: list[StaticPod]) -> list[NodeConfig]:
    from controllers.kubelet.node_config import NodeConfig

    nodes = []
    for index, name in enumerate(node_names(config.name, config.nodes)):
        first = index == 0
        taints = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
        nodes.append(
            NodeConfig(
                name=name,
                cpu=config.node_cpu,
                memory=config.node_memory,
                pods=config.node_pods,
                control_plane=first,
                taints=taints if first and config.control_plane_taint else [],
                static_pods=static_pods if first else [],
            )
        )
    return nodes
