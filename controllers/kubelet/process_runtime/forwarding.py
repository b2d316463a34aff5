"""kube-proxy for processes: listens at the loopback addresses that stand for Services, and at node ports and host ports on 127.0.0.1, and
passes each connection on to an endpoint, a process or a simulated one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from controllers.kubelet.network.connections import PodConnection
from controllers.kubelet.network.pod_networks import PodNetworks
from controllers.kubelet.process_runtime import joining
from controllers.kubelet.process_runtime.service_names import cluster_ip, is_api_server, is_cluster_dns
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_PIECE_BYTES = 64 * 1024
_MOST_LISTENERS = 2_000
_BACKLOG = 1024
_LOOPBACK = "127.0.0.1"
_OF_PROCESSES = "127."
"""What listens at such an address is a process of this machine."""


class _Place(NamedTuple):
    address: str
    port: int


class ServiceForwarder:
    """`networks` is asked for when the first connection comes. `address` gives the loopback address of a Service; `api_server` is where
    kube-apiserver listens, if it does. `tell` gets a Service or a pod, a reason and a message where a port cannot be listened at."""

    def __init__(
        self,
        networks: Callable[[], PodNetworks],
        address: Callable[[Object], str],
        api_server: Callable[[], tuple[str, int] | None],
        tell: Callable[[Object, str, str], None],
    ) -> None:
        self._networks = networks
        self._api_server = api_server
        self._address = address
        self._tell = tell
        self._servers: dict[_Place, tuple[_Place, asyncio.Server]] = {}
        self._refused: dict[_Place, str] = {}
        self._connections: dict[asyncio.Task[None], None] = {}
        self._syncing = False

    async def sync(self, services: Iterable[Object], host_ports: Iterable[tuple[int, str, int, Object]] = ()) -> None:
        """Listens for these, and no longer for others. `host_ports`: port of the machine, address and port of a pod, the pod."""
        if self._syncing:
            return
        self._syncing = True
        try:
            wanted = self._wanted(services)
            for host_port, address, port, pod in host_ports:
                wanted.setdefault(_Place(_LOOPBACK, host_port), (_Place(address, port), pod))
            for place, (target, server) in list(self._servers.items()):
                if place not in wanted or wanted[place][0] != target:
                    del self._servers[place]
                    server.close()
            for place in [place for place in self._refused if place not in wanted]:
                del self._refused[place]
            for place, (target, service) in wanted.items():
                if place not in self._servers:
                    await self._listen(place, target, service)
        finally:
            self._syncing = False

    def _wanted(self, services: Iterable[Object]) -> dict[_Place, tuple[_Place, Object]]:
        """Where to listen > what is meant by it."""
        found: dict[_Place, tuple[_Place, Object]] = {}
        for service in services:
            address = cluster_ip(service)
            if not address or is_cluster_dns(service):
                continue
            listens = self._api_server() if is_api_server(service) else None
            for port in objects.spec(service).get("ports") or ():
                if (port.get("protocol") or "TCP") == "TCP" and len(found) < _MOST_LISTENERS:
                    target = _Place(address, int(port["port"])) if listens is None else _Place(*listens)
                    found[_Place(self._address(service), int(port["port"]))] = target, service
                    if port.get("nodePort"):
                        found[_Place(_LOOPBACK, int(port["nodePort"]))] = target, service
        return found

    async def _listen(self, place: _Place, target: _Place, service: Object) -> None:
        def accepted(side: joining.Side) -> None:
            task = loop.create_task(self._serve(target, side))
            self._connections[task] = None
            task.add_done_callback(self._connections.pop)

        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: joining.Side(accepted), place.address, place.port, backlog=_BACKLOG)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            if self._refused.get(place) != why:
                self._refused[place] = why
                message = f"Processes do not reach it at {place.address}:{place.port}: listen tcp: {why}"
                self._tell(service, "CannotForward", message)
            return
        self._servers[place] = target, server
        self._refused.pop(place, None)

    async def _serve(self, target: _Place, side: joining.Side) -> None:
        """Chooses the endpoint, as kube-proxy does with each connection."""
        try:
            chosen = _Place(*(self._route(target) or target))
            if chosen.address.startswith(_OF_PROCESSES):
                await self._join(chosen, side)
            else:
                await self._pass_on(chosen, side.transport)
        except OSError:
            side.transport.abort()

    def _route(self, target: _Place) -> tuple[str, int] | None:
        """None where it is no Service's address. Raises OSError."""
        if target.address.startswith(_OF_PROCESSES):
            return None
        return self._networks().cluster.routes.service(target.address, target.port, "TCP", None)

    @staticmethod
    async def _join(target: _Place, side: joining.Side) -> None:
        loop = asyncio.get_running_loop()
        _, other = await loop.create_connection(lambda: joining.Side(_not_yet), target.address, target.port)
        side.join(other)

    async def _pass_on(self, target: _Place, transport: asyncio.Transport) -> None:
        """To a simulated pod, which lives in this process."""
        connection = PodConnection(lambda wake: self._networks().cluster.open(target.address, target.port, wake=wake))
        reader, writer = joining.as_streams(transport)
        sending = asyncio.get_running_loop().create_task(_send(connection, reader))
        try:
            while data := await connection.read():
                writer.write(data)
                await writer.drain()
            with contextlib.suppress(OSError):
                writer.write_eof()
            await sending
        finally:
            sending.cancel()
            connection.close()
            writer.close()
            await asyncio.gather(sending, return_exceptions=True)

    async def stop(self) -> None:
        for _, server in self._servers.values():
            server.close()
        self._servers.clear()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


def _not_yet(side: joining.Side) -> None:
    """It is joined by who has asked for it."""


async def _send(connection: PodConnection, reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            await connection.write(data)
        connection.finish()
