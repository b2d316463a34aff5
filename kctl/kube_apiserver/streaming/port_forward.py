"""port-forward over an upgraded connection. SPDY (alone, or inside WebSocket messages): two streams, error and data, for each connection
to a port. WebSocket channels: two for each port of the query, each beginning with the port's number."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Sequence

from kctl.apimachinery.clock import Clock
from kctl.client.kubelet import CannotRun, Forward
from kctl.client.streaming.pipe import Pipe
from kctl.client.streaming.spdy_frames import SpdyError
from kctl.kube_apiserver.streaming.connection import Connection
from kctl.kube_apiserver.streaming.remote_command import CREATION_SECONDS
from kctl.kube_apiserver.streaming.spdy import SpdyConnection, Stream

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+"
"""Prefix of a WebSocket subprotocol: its messages are the bytes of a SPDY connection."""
WEBSOCKET_PROTOCOLS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io", "")


class _SpdyForwarder:
    def __init__(self, connection: Connection, clock: Clock, forward: Forward) -> None:
        self._clock = clock
        self._forward = forward
        self._spdy = SpdyConnection(connection, self._accept)
        self._halves: dict[str, tuple[Stream, asyncio.Task[None]]] = {}
        self._serving: dict[asyncio.Task[None], None] = {}

    async def run(self) -> None:
        try:
            await self._spdy.run()
        except SpdyError:
            return
        finally:
            left = [*self._serving, *(timer for _, timer in self._halves.values())]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _accept(self, stream: Stream) -> bool:
        headers = stream.headers
        kind, port = headers.get("streamtype"), headers.get("port", "")
        if kind not in ("error", "data") or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
            return False
        # old clients give no request id: their data stream follows their error stream
        request = headers.get("requestid") or str(stream.id if kind == "error" else stream.id - 2)
        first = self._halves.pop(request, None)
        if first is None:
            self._halves[request] = stream, asyncio.create_task(self._abandon(request, stream))
            return True
        first[1].cancel()
        if first[0].headers.get("streamtype") == kind:
            return False
        error, data = (first[0], stream) if kind == "data" else (stream, first[0])
        task = asyncio.create_task(self._serve(int(port), error, data))
        self._serving[task] = None
        task.add_done_callback(self._serving.pop)
        return True

    async def _abandon(self, request: str, stream: Stream) -> None:
        """The other half does not come."""
        await self._clock.sleep(CREATION_SECONDS)
        self._halves.pop(request, None)
        self._spdy.forget(stream)
        await stream.reset()

    async def _serve(self, port: int, error: Stream, data: Stream) -> None:
        try:
            await self._forward(port, data)
        except CannotRun as refused:
            await error.write(f"an error occurred forwarding {port} -> {port}: {refused}".encode())
        except (ConnectionError, OSError):
            return
        finally:
            for stream in (data, error):
                self._spdy.forget(stream)
        await data.finish()
        await error.finish()


async def over_spdy(connection: Connection, clock: Clock, forward: Forward) -> None:
    await _SpdyForwarder(connection, clock, forward).run()


class _Port:
    """The data channel of one port; its error channel is the next."""

    def __init__(self, connection: Connection, channel: int, port: int, *, as_text: bool) -> None:
        self._connection = connection
        self._channel = channel
        self._as_text = as_text
        self.port = port
        self.incoming = Pipe()

    async def read(self) -> bytes:
        return await self.incoming.read()

    async def write(self, data: bytes) -> None:
        await self.send(self._channel, data)

    async def send(self, channel: int, data: bytes) -> None:
        await self._connection.send(b"%c" % (channel + 48) + base64.b64encode(data) if self._as_text else bytes((channel,)) + data)

    async def serve(self, forward: Forward) -> None:
        try:
            await forward(self.port, self)
        except CannotRun as refused:
            await self.send(self._channel + 1, str(refused).encode())


async def over_websocket(connection: Connection, ports: Sequence[int], forward: Forward, *, as_text: bool) -> None:
    made = [_Port(connection, index * 2, port, as_text=as_text) for index, port in enumerate(ports)]
    for index, each in enumerate(made):
        for channel in (index * 2, index * 2 + 1):
            await each.send(channel, struct.pack("<H", each.port))
    tasks = [asyncio.create_task(each.serve(forward)) for each in made]

    async def pump() -> None:
        while message := await connection.receive():
            channel = message[0] - 48 if as_text else message[0]
            if channel % 2 == 0 and 0 <= channel // 2 < len(made):
                data = message[1:]
                try:
                    await made[channel // 2].incoming.feed(base64.b64decode(data) if as_text else data)
                except ValueError:
                    return

    reading = asyncio.create_task(pump())
    try:
        await asyncio.wait({reading})
        for each in made:
            each.incoming.end()
    finally:
        for task in (reading, *tasks):
            task.cancel()
        await asyncio.gather(reading, *tasks, return_exceptions=True)
