"""kube-proxy for processes over real sockets: which endpoint, what becomes of connections and datagrams when endpoints change."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controllers.kubelet.network.service_routes import ServiceRoutes
from controllers.kubelet.process_runtime import datagrams, forwarding
from controllers.kubelet.process_runtime.forwarding import ServiceForwarder
from kctl.apimachinery.clock import FakeClock, RealClock
from kctl.apimachinery.objects import Object
from tests.controllers.kubelet.network.objects_at_hand import Sources, endpoint, endpoint_slice, service

pytestmark = [pytest.mark.real_time]
FIRST, SECOND, SERVICE, BALANCER = "127.101.1.1", "127.101.1.2", "127.101.2.1", "127.101.3.1"


class World:
    """A Service with one port over endpoints at `port`; `told` are its events."""

    def __init__(self, protocol: str = "TCP", clock: Any = None) -> None:
        with socket.create_server((FIRST, 0)) as free:
            self.port = free.getsockname()[1]
        self.protocol = protocol
        self.sources = Sources()
        self.told: list[str] = []
        self.routes = ServiceRoutes(RealClock(), self.sources, random.Random(1))
        self.cluster = self  # of PodNetworks
        self.forwarder = ServiceForwarder(
            clock or RealClock(), lambda: self, lambda found: SERVICE, lambda: None, lambda found, reason, text: self.told.append(text)
        )
        self.lead_to(FIRST)

    def lead_to(self, *addresses: str, **more: Any) -> None:
        ports = [{"name": "p", "port": self.port, "protocol": self.protocol}]
        made = service(ports=ports, status={"loadBalancer": {"ingress": [{"ip": BALANCER, "ipMode": "VIP"}]}}, **more)
        self.sources.services = [made]
        self.sources.slices = [endpoint_slice(*map(endpoint, addresses), port=self.port, port_name="p", protocol=self.protocol)]
        self.forwarder.sync(self.sources.services)

    def stop_forwarding(self) -> None:
        self.forwarder.sync(())


@contextlib.asynccontextmanager
async def world(protocol: str = "TCP", **more: Any) -> AsyncIterator[World]:
    made = World(protocol, **more)
    try:
        yield made
    finally:
        await made.forwarder.stop()


@contextlib.asynccontextmanager
async def echo(address: str, port: int) -> AsyncIterator[None]:
    """Says who it is, then everything that it hears, and at the end that it is over."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{address}\n".encode())
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write(b"over\n")
        writer.close()

    server = await asyncio.start_server(serve, address, port)
    try:
        yield
    finally:
        server.close()


async def test_connections_are_joined_to_their_ends() -> None:
    async with world() as here, echo(FIRST, here.port):
        for address in (SERVICE, BALANCER):
            reader, writer = await asyncio.open_connection(address, here.port)
            assert await reader.readline() == f"{FIRST}\n".encode()
            data = random.Random(1).randbytes(3_000_000)
            writer.write(data)
            writer.write_eof()  # the other direction goes on
            assert await reader.read() == data + b"over\n"
            writer.close()
    assert not here.told


async def test_a_connection_stays_when_its_endpoint_or_service_goes() -> None:
    async with world() as here, echo(FIRST, here.port), echo(SECOND, here.port):
        reader, writer = await asyncio.open_connection(SERVICE, here.port)
        assert await reader.readline() == f"{FIRST}\n".encode()
        here.lead_to(SECOND)
        other, end = await asyncio.open_connection(SERVICE, here.port)
        assert await other.readline() == f"{SECOND}\n".encode()
        here.stop_forwarding()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(SERVICE, here.port)
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        for each in (writer, end):
            each.close()


async def test_an_endpoint_that_has_just_ended_costs_no_connection() -> None:
    async with world() as here, echo(SECOND, here.port):
        here.lead_to(FIRST, SECOND)
        for _ in range(12):
            reader, writer = await asyncio.open_connection(SERVICE, here.port)
            assert await reader.readline() == f"{SECOND}\n".encode()
            writer.close()


async def test_without_endpoints_connections_are_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as here:
        with pytest.raises(ConnectionResetError):
            reader, _ = await asyncio.open_connection(SERVICE, here.port)
            await reader.read()
        monkeypatch.setattr(forwarding, "MOST_CONNECTIONS", 0)  # more wait to be accepted
        _, writer = await asyncio.open_connection(SERVICE, here.port)
        writer.close()


class Echo(asyncio.DatagramProtocol):
    def __init__(self, name: str) -> None:
        self.name = name
        self.clients: set[Any] = set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, client: Any) -> None:
        self.clients.add(client)
        self.transport.sendto(f"{self.name} {data.decode()}".encode(), client)


async def test_datagrams(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, clock = asyncio.get_running_loop(), FakeClock()
    async with world("UDP", clock=clock) as here:
        servers = []
        for address in (FIRST, SECOND):
            servers.append(await loop.create_datagram_endpoint(lambda address=address: Echo(address), (address, here.port)))  # type: ignore[misc]

        async def said(client: socket.socket, text: str) -> str:
            await loop.sock_sendall(client, text.encode())
            return (await asyncio.wait_for(loop.sock_recv(client, 65535), 10)).decode()

        with contextlib.ExitStack() as closing:
            clients = []
            for address in (SERVICE, SERVICE, BALANCER):
                client = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                client.setblocking(False)
                client.connect((address, here.port))
                clients.append(client)
            for client in clients:
                assert await said(client, "a") == f"{FIRST} a" and await said(client, "b" * 9000) == f"{FIRST} {'b' * 9000}"
            assert len(servers[0][1].clients) == 3 == len(here.forwarder._sessions)
            here.lead_to(SECOND)
            assert await said(clients[0], "c") == f"{SECOND} c"
            clock.advance(datagrams.ANSWERED_SECONDS + 11)
            assert len(here.forwarder._sessions) == 0
            monkeypatch.setattr(datagrams, "MOST_SESSIONS", 2)
            for client in clients:
                assert await said(client, "d") == f"{SECOND} d"
            assert len(here.forwarder._sessions) == 2
        for transport, _ in servers:
            transport.close()


async def test_what_cannot_be_listened_at_is_told_once() -> None:
    async with world() as here:
        here.stop_forwarding()
        with socket.create_server((SERVICE, here.port)):
            here.lead_to(FIRST)
            here.lead_to(FIRST)
        assert here.told == [f"Processes do not reach it at {SERVICE}:{here.port}: listen tcp: address already in use"]


def test_an_endpoint_is_one_as_long_as_it_may_be_chosen() -> None:
    found: list[Object] = [service(ports=[{"name": "p", "port": 80, "protocol": "TCP"}])]
    sources = Sources(*found, slices=[endpoint_slice(endpoint(FIRST), port=8080, port_name="p")])
    routes = ServiceRoutes(RealClock(), sources, random.Random(1))
    assert routes.leads_to("10.96.0.7", 80, "TCP", (FIRST, 8080)) and not routes.leads_to("10.96.0.7", 80, "TCP", (SECOND, 8080))
    sources.slices = [endpoint_slice(endpoint(FIRST, conditions={"ready": False}), port=8080, port_name="p")]
    assert not routes.leads_to("10.96.0.7", 80, "TCP", (FIRST, 8080))
