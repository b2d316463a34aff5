"""A SPDY/3.1 connection whose streams this side opens, as client-go's: over a socket, or inside the messages of a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from kctl.client.streaming import spdy_frames as frames
from kctl.client.streaming.pipe import Pipe
from kctl.client.streaming.upgrade import Upgraded
from kctl.client.streaming.websocket import WebSocket

_DATA_BYTES = 32 * 1024


class Carrier(Protocol):
    """What SPDY's bytes go over."""

    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class OverSocket:
    def __init__(self, connection: Upgraded) -> None:
        self._connection = connection

    async def read(self) -> bytes:
        return await self._connection.read()

    async def write(self, data: bytes) -> None:
        await self._connection.write(data)

    async def close(self) -> None:
        self._connection.close()


class OverWebSocket:
    """SPDY tunnelled: each message is some of its bytes."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def read(self) -> bytes:
        return await self._websocket.receive()

    async def write(self, data: bytes) -> None:
        await self._websocket.send(data)

    async def close(self) -> None:
        await self._websocket.close()


class Stream:
    """One stream of a SpdyConnection."""

    def __init__(self, carrier: Carrier, id: int) -> None:
        self._carrier = carrier
        self.id = id
        self.incoming = Pipe()
        self._finished = False

    async def read(self) -> bytes:
        """b'' once the server has closed its half."""
        return await self.incoming.read()

    async def read_all(self) -> bytes:
        parts = []
        while data := await self.read():
            parts.append(data)
        return b"".join(parts)

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _DATA_BYTES):
            await self._carrier.write(frames.data(self.id, data[start : start + _DATA_BYTES]))

    async def finish(self) -> None:
        """This side's half is closed. Idempotent."""
        if not self._finished:
            self._finished = True
            await self._carrier.write(frames.data(self.id, b"", fin=True))

    async def reset(self) -> None:
        """What is still under way is dropped, on both sides."""
        self._finished = True
        self.incoming.discard()
        await self._carrier.write(frames.reset(self.id, frames.PROTOCOL_ERROR))


class SpdyConnection:
    """`run` reads until the server closes; streams may be opened meanwhile. `closed` is set at its end."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._encoder = frames.Encoder()
        self._decoder = frames.Decoder()
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self.closed = asyncio.Event()

    async def open(self, headers: Mapping[str, str]) -> Stream:
        stream = Stream(self._carrier, self._next)
        self._next += 2
        self._streams[stream.id] = stream
        await self._carrier.write(self._encoder.opened(stream.id, headers))
        return stream

    def forget(self, stream: Stream) -> None:
        """What the server may still send to it is read over."""
        self._streams.pop(stream.id, None)
        stream.incoming.discard()

    async def run(self) -> None:
        """Raises SpdyError or WebSocketError for what cannot be read."""
        try:
            while received := await self._carrier.read():
                for frame in self._decoder.feed(received):
                    await self._handle(frame)
        finally:
            self.closed.set()
            for stream in self._streams.values():
                stream.incoming.end()

    async def _handle(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Data(id, data, fin):
                stream = self._streams.get(id)
                if stream is not None:
                    if data:
                        await stream.incoming.feed(data)
                    if fin:
                        stream.incoming.end()
            case frames.Reset(id):
                stream = self._streams.pop(id, None)
                if stream is not None:
                    stream.incoming.end()
            case frames.Ping(id):
                if not id % 2:  # the server's; odd ones would be answers
                    await self._carrier.write(frames.ping(id))

    async def close(self) -> None:
        await self._carrier.close()
