"""pods/portforward: SPDY alone, SPDY in WebSocket messages (as kubectl sends it), and WebSocket channels (as the Python client does)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from kctl.client.streaming import spdy_frames
from kctl.kube_apiserver.streaming import port_forward
from tests.kctl.kube_apiserver.served import Served, served
from tests.kctl.kube_apiserver.streaming.kubelets import POD_PATH, pod, with_pods

PATH = POD_PATH + "/portforward"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as made:
        await with_pods(made.server, pod())
        yield made


class Peer:
    """The client of a SPDY connection."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], receive: Callable[[], Awaitable[bytes]]) -> None:
        self._send, self._receive = send, receive
        self._encoder, self._decoder = spdy_frames.Encoder(), spdy_frames.Decoder()
        self.data: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.pings: list[int] = []

    async def open(self, stream: int, **headers: str) -> None:
        await self._send(self._encoder.opened(stream, headers))

    async def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        await self._send(spdy_frames.data(stream, data, fin=fin))

    async def raw(self, data: bytes) -> None:
        await self._send(data)

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not check():
                for frame in self._decoder.feed(await self._receive()):
                    match frame:
                        case spdy_frames.Data(stream, data, fin):
                            self.data[stream] = self.data.get(stream, b"") + data
                            if fin:
                                self.ended.add(stream)
                        case spdy_frames.Reset(stream):
                            self.reset.add(stream)
                        case spdy_frames.Ping(id):
                            self.pings.append(id)


async def _converse(peer: Peer) -> None:
    await peer.open(1, streamtype="error", port="80", requestid="0")
    await peer.open(3, streamtype="data", port="80", requestid="0")
    await peer.open(5, streamtype="data", port="81", requestid="1")
    await peer.open(7, streamtype="error", port="81", requestid="1")
    await peer.open(9, streamtype="error", port="no", requestid="2")
    await peer.raw(spdy_frames.ping(1))
    await peer.send(3, b"some ")
    await peer.send(3, b"words" * 100_000, fin=True)
    await peer.until(lambda: {1, 3, 5, 7} <= peer.ended and bool(peer.pings) and bool(peer.reset))
    assert peer.data[3] == b"SOME " + b"WORDS" * 100_000
    assert peer.data[1] == b""
    assert peer.data[7] == b"an error occurred forwarding 81 -> 81: connection refused"
    assert (peer.pings, peer.reset) == ([1], {9})


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_spdy(api: Served, method: str) -> None:
    connection = await api.connect()
    connection.send(PATH, method, Upgrade="SPDY/3.1", Connection="Upgrade", X_Stream_Protocol_Version="portforward.k8s.io")
    head = await connection.head()
    assert (head.status, head.headers["upgrade"], head.headers["x-stream-protocol-version"]) == (101, "spdy/3.1", "portforward.k8s.io")

    async def send(data: bytes) -> None:
        connection.writer.write(data)
        await connection.writer.drain()

    await _converse(Peer(send, lambda: connection.reader.read(1 << 16)))


async def test_spdy_in_websocket_messages(api: Served) -> None:
    """What kubectl port-forward does by default since 1.31."""
    url, protocol = f"http://127.0.0.1:{api.port}{PATH}", port_forward.TUNNEL + port_forward.PROTOCOL
    headers = {"Authorization": "Bearer admin"}
    async with aiohttp.ClientSession() as session, session.ws_connect(url, protocols=(protocol,), headers=headers) as socket:
        assert socket.protocol == protocol
        await _converse(Peer(socket.send_bytes, socket.receive_bytes))


async def test_websocket_channels(api: Served) -> None:
    url, headers = f"http://127.0.0.1:{api.port}{PATH}?ports=80&ports=81", {"Authorization": "Bearer admin"}
    async with aiohttp.ClientSession() as session, session.ws_connect(url, protocols=("v4.channel.k8s.io",), headers=headers) as socket:
        got = [await socket.receive_bytes() for _ in range(5)]
        assert got == [b"\0P\0", b"\1P\0", b"\2Q\0", b"\3Q\0", b"\3connection refused"]
        await socket.send_bytes(b"\0abc")
        assert await socket.receive_bytes() == b"\0ABC"


async def test_what_is_no_spdy_ends_the_connection(api: Served) -> None:
    connection = await api.connect()
    connection.send(PATH, "POST", Upgrade="SPDY/3.1", Connection="Upgrade", X_Stream_Protocol_Version="portforward.k8s.io")
    await connection.head()
    connection.writer.write(b"\xff" * 100)
    assert await connection.reader.read() == b""
