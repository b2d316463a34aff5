"""kube-proxy for processes: listens at the loopback addresses that stand for Services, at external addresses that are loopback ones, and at
node ports and host ports on 127.0.0.1, and passes what comes on to endpoints, processes or simulated ones.

A connection stays where it is until one of its sides ends it, whatever becomes of the Service and its endpoints: so it is with kube-proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from controllers.kubelet.commands.network import Side
from controllers.kubelet.network.connections import PodConnection
from controllers.kubelet.network.pod_networks import PodNetworks
from controllers.kubelet.network.service_routes import external_addresses
from controllers.kubelet.process_runtime.datagrams import DatagramPort, Exchange, Sessions, SocketExchange
from controllers.kubelet.process_runtime.joining import Connecting, Joint, reset
from controllers.kubelet.process_runtime.service_names import cluster_ip, is_api_server, is_cluster_dns
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object

_PIECE_BYTES = 64 * 1024
_MOST_LISTENERS = 2_000
MOST_CONNECTIONS = 10_000
"""At once; more wait to be accepted."""
_BACKLOG = 1024
_ACCEPTS_A_TURN = 32
_PAUSE_SECONDS = 0.05
"""Until more is accepted where there are too many connections, or no descriptors."""
_MOST_TRIED, _MOST_DRAWS = 4, 16
"""Endpoints where one refuses, which may have ended a moment ago; how often one is drawn that has not been tried."""
_LOOPBACK = "127.0.0.1"
_OF_PROCESSES = "127."
"""What listens at such an address is a process of this machine."""


class Place(NamedTuple):
    address: str
    port: int
    protocol: str = "TCP"

    @property
    def end(self) -> tuple[str, int]:
        return self.address, self.port


class HostPort(NamedTuple):
    """A container's port that is one of the machine's too."""

    port: int
    target: Place
    pod: Object


class _Listener:
    """Accepts TCP connections. Raises OSError."""

    def __init__(self, place: Place, accepted: Callable[[socket.socket], None], overfull: Callable[[], bool], clock: Clock) -> None:
        self._accepted = accepted
        self._overfull = overfull
        self._clock = clock
        self._pause: Timer | None = None
        self._socket = socket.create_server(place.end, backlog=_BACKLOG)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # those it accepts have it too
        self._listen()

    def _listen(self) -> None:
        self._pause = None
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            try:
                if self._overfull():
                    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                connection, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
                self._pause = self._clock.call_later(_PAUSE_SECONDS, self._listen)
                return
            connection.setblocking(False)
            self._accepted(connection)

    def changed(self) -> None:
        """Connections stay where they are."""

    def close(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        else:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()


class ServiceForwarder:
    """`networks` is asked for when the first connection comes. `address` gives the loopback address of a Service; `api_server` is where
    kube-apiserver listens, if it does. `tell` gets a Service or a pod, a reason and a message where a port cannot be listened at."""

    def __init__(
        self,
        clock: Clock,
        networks: Callable[[], PodNetworks],
        address: Callable[[Object], str],
        api_server: Callable[[], tuple[str, int] | None],
        tell: Callable[[Object, str, str], None],
    ) -> None:
        self._clock = clock.machine
        self._networks = networks
        self._api_server = api_server
        self._address = address
        self._tell = tell
        self._listeners: dict[Place, tuple[Place, _Listener | DatagramPort]] = {}
        self._refused: dict[Place, str] = {}
        self._joints: dict[Joint, None] = {}
        self._connecting: dict[socket.socket, Connecting] = {}
        self._connections: dict[asyncio.Task[None], None] = {}
        self._sessions = Sessions(self._clock)

    def sync(self, services: Iterable[Object], host_ports: Iterable[HostPort] = ()) -> None:
        """Listens for these, and no longer for others."""
        wanted = self._wanted(services)
        for each in host_ports:
            wanted.setdefault(Place(_LOOPBACK, each.port, each.target.protocol), (each.target, each.pod))
        for place, (target, listener) in list(self._listeners.items()):
            if place not in wanted or wanted[place][0] != target:
                del self._listeners[place]
                listener.close()
            else:
                listener.changed()
        for place in [place for place in self._refused if place not in wanted]:
            del self._refused[place]
        for place, (target, service) in wanted.items():
            if place not in self._listeners:
                self._listen(place, target, service)

    def _wanted(self, services: Iterable[Object]) -> dict[Place, tuple[Place, Object]]:
        """Where to listen > what is meant by it."""
        found: dict[Place, tuple[Place, Object]] = {}
        for service in services:
            address = cluster_ip(service)
            if not address or is_cluster_dns(service):
                continue
            listens = self._api_server() if is_api_server(service) else None
            for port in objects.spec(service).get("ports") or ():
                protocol, number = str(port.get("protocol") or "TCP"), int(port["port"])
                if protocol not in ("TCP", "UDP") or len(found) >= _MOST_LISTENERS:
                    continue
                target = Place(address, number, protocol) if listens is None else Place(*listens)
                found[Place(self._address(service), number, protocol)] = target, service
                if port.get("nodePort"):
                    found[Place(_LOOPBACK, int(port["nodePort"]), protocol)] = target, service
                for external in external_addresses(service):
                    if external.startswith(_OF_PROCESSES):
                        found[Place(external, number, protocol)] = Place(external, number, protocol), service
        return found

    def _listen(self, place: Place, target: Place, service: Object) -> None:
        made: _Listener | DatagramPort
        try:
            if place.protocol == "UDP":
                route, leads_to = partial(self._route, target), partial(self._leads_to, target)
                made = DatagramPort(self._sessions, place.address, place.port, route, leads_to, self._exchange)
            else:
                made = _Listener(place, lambda connection: self._forward(target, connection), self._overfull, self._clock)
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else str(error)
            if self._refused.get(place) != why:
                self._refused[place] = why
                message = f"Processes do not reach it at {place.address}:{place.port}: listen {place.protocol.lower()}: {why}"
                self._tell(service, "CannotForward", message)
            return
        self._listeners[place] = target, made
        self._refused.pop(place, None)

    def _overfull(self) -> bool:
        return len(self._joints) + len(self._connecting) + len(self._connections) >= MOST_CONNECTIONS

    # ---- which endpoint

    def _route(self, target: Place) -> tuple[str, int]:
        """The endpoint, chosen as kube-proxy does; the target itself where it is no Service's address. Raises OSError."""
        if target.address == _LOOPBACK:
            return target.end
        return self._networks().cluster.routes.service(target.address, target.port, target.protocol, None) or target.end

    def _leads_to(self, target: Place, endpoint: tuple[str, int]) -> bool:
        return endpoint == target.end or self._networks().cluster.routes.leads_to(*target, endpoint)

    # ---- TCP

    def _forward(self, target: Place, connection: socket.socket, *tried: tuple[str, int]) -> None:
        try:
            chosen = self._route(target)
            draws = 0
            while chosen in tried:
                draws += 1
                if draws > _MOST_DRAWS:
                    raise ConnectionRefusedError
                chosen = self._route(target)
            if chosen[0].startswith(_OF_PROCESSES):
                self._connect(target, chosen, connection, tried)
            else:
                self._spawn(chosen, connection)
        except OSError:
            reset(connection)

    def _connect(self, target: Place, chosen: tuple[str, int], connection: socket.socket, tried: tuple[tuple[str, int], ...]) -> None:
        """Raises OSError."""

        def connected(far: socket.socket | None, code: int) -> None:
            self._connecting.pop(connection, None)
            if far is not None:
                joint = Joint(connection, far, self._joints.pop)
                self._joints[joint] = None
                joint.start()
            elif code == errno.ECONNREFUSED and len(tried) < _MOST_TRIED:
                self._forward(target, connection, chosen, *tried)
            else:
                reset(connection)

        made = Connecting(*chosen, connected)
        if made.waiting:
            self._connecting[connection] = made

    def _spawn(self, chosen: tuple[str, int], connection: socket.socket) -> None:
        task = asyncio.get_running_loop().create_task(self._pass_on(chosen, connection))
        self._connections[task] = None
        task.add_done_callback(self._connections.pop)

    async def _pass_on(self, chosen: tuple[str, int], connection: socket.socket) -> None:
        """To a simulated pod, which lives in this process."""
        try:
            pod = PodConnection(lambda wake: self._networks().cluster.open(*chosen, wake=wake))
        except OSError:
            reset(connection)
            return
        reader, writer = await asyncio.open_connection(sock=connection)
        sending = asyncio.get_running_loop().create_task(_send(pod, reader))
        try:
            while data := await pod.read():
                writer.write(data)
                await writer.drain()
            writer.write_eof()
            await sending
        except OSError:
            writer.transport.abort()
        finally:
            sending.cancel()
            pod.close()
            writer.close()
            await asyncio.gather(sending, return_exceptions=True)

    # ---- UDP

    def _exchange(self, endpoint: tuple[str, int], answered: Callable[[bytes], None], gone: Callable[[], None]) -> Exchange:
        if endpoint[0].startswith(_OF_PROCESSES):
            return SocketExchange(*endpoint, answered, gone)
        return _SimulatedExchange(self._networks(), endpoint, answered)

    async def stop(self) -> None:
        for _, listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
        for connection, connecting in list(self._connecting.items()):
            connecting.cancel()
            connection.close()
        self._connecting.clear()
        for joint in list(self._joints):
            joint.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


class _SimulatedExchange:
    """Datagrams for a simulated pod."""

    def __init__(self, networks: PodNetworks, endpoint: tuple[str, int], answered: Callable[[bytes], None]) -> None:
        """Raises OSError."""
        self._answered = answered
        self._side: Side | None = None
        self._side = networks.cluster.open(*endpoint, "UDP", self._arrived)

    def _arrived(self) -> None:
        if self._side is not None and (data := self._side.stdin.take()):
            self._answered(data)

    def send(self, data: bytes) -> None:
        assert self._side is not None
        self._side.write(data)

    def close(self) -> None:
        if self._side is not None:
            self._side.close()


async def _send(connection: PodConnection, reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            await connection.write(data)
        connection.finish()
