"""Cluster DNS for processes, started with the first of them: the names are those of simulated pods, the addresses of Services those that
processes reach."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping

from controllers.kubelet.cluster_dns import host_resolver
from controllers.kubelet.cluster_dns.server import PORT, ClusterDns
from controllers.kubelet.cluster_dns.upstream import Upstream, of_addresses
from controllers.kubelet.network.cluster_names import ClusterNames
from controllers.kubelet.network.pod_networks import PodSources
from controllers.kubelet.process_runtime.cluster_view import ClusterView
from controllers.kubelet.process_runtime.service_names import cluster_ip
from controllers.kubelet.references import SERVICE
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object

_LOOPBACK = "127."


class NamesOfProcesses:
    """What ClusterNames asks for, with the loopback addresses of Services in place of their ClusterIPs."""

    def __init__(self, sources: PodSources, address: Callable[[Object], str]) -> None:
        self._sources = sources
        self._address = address
        self._by_address: Mapping[str, Object] | None = None

    def forget(self) -> None:
        """Services may have changed."""
        self._by_address = None

    def service(self, namespace: str, name: str) -> Object | None:
        found = self._sources.service(namespace, name)
        return self._reachable(found) if found is not None and cluster_ip(found) else found

    def services_at(self, value: str) -> Collection[Object]:
        if not value.startswith(_LOOPBACK):
            return self._sources.services_at(value)
        if self._by_address is None:
            found = [self._reachable(each) for each in self._sources.all(SERVICE) if cluster_ip(each)]
            self._by_address = {cluster_ip(each): each for each in found}
        service = self._by_address.get(value)
        return () if service is None else (service,)

    def has_namespace(self, name: str) -> bool:
        return self._sources.has_namespace(name)

    def slices_of(self, namespace: str, service: str) -> Collection[Object]:
        return self._sources.slices_of(namespace, service)

    def slices_at(self, address: str) -> Collection[Object]:
        return self._sources.slices_at(address)

    def _reachable(self, service: Object) -> Object:
        address = self._address(service)
        return {**service, "spec": {**objects.spec(service), "clusterIP": address, "clusterIPs": [address]}}


class NameServer:
    """`announce` is told the address once it answers: what the cluster shows of it. `cannot` gets the reason where it does not."""

    def __init__(
        self,
        clock: Clock,
        view: ClusterView,
        randomness: random.Random,
        announce: Callable[[str], Awaitable[None]],
        cannot: Callable[[str], None],
        port: int = PORT,
    ) -> None:
        self._clock = clock.machine
        self._view = view
        self._randomness = randomness
        self._announce = announce
        self._cannot = cannot
        self._port = port
        self._starting = asyncio.Lock()
        self._server: ClusterDns | None = None
        self._tried = False

    async def start(self) -> None:
        """Once. Pods wait for it: what they read is where it answers."""
        if self._tried:
            return
        async with self._starting:
            if self._tried:
                return
            try:
                await self._start()
            finally:
                self._tried = True

    async def _start(self) -> None:
        view = self._view
        sources = view.networks.sources
        names = NamesOfProcesses(sources, view.address)
        upstream = Upstream(self._clock, lambda: of_addresses(host_resolver.read().nameservers, view.dns_address), self._randomness)
        server = ClusterDns(self._clock, ClusterNames(names), view.dns_address, upstream, self._randomness, self._port)
        try:
            await server.start()
        except OSError as error:
            self._cannot(f"listen udp {view.dns_address}:{self._port}: {(error.strerror or str(error)).lower()}")
            return
        self._server = server

        def changed() -> None:
            names.forget()
            server.changed()

        sources.on_change(changed)
        view.dns = view.dns_address
        await self._announce(view.dns_address)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
