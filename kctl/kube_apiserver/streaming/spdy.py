"""A SPDY/3.1 connection of which the client opens the streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kctl.client.streaming import spdy_frames as frames
from kctl.client.streaming.pipe import Pipe
from kctl.kube_apiserver.streaming.connection import Connection

MOST_STREAMS = 1_000
"""Open at a time on one connection."""
_DATA_BYTES = 32 * 1024


class Stream:
    def __init__(self, connection: Connection, id: int, headers: Mapping[str, str]) -> None:
        self._connection = connection
        self.id = id
        self.headers = headers
        """Names in lower case."""
        self.incoming = Pipe()
        self._finished = False

    async def read(self) -> bytes:
        """b'' once the client has closed its half."""
        return await self.incoming.read()

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _DATA_BYTES):
            await self._connection.send(frames.data(self.id, data[start : start + _DATA_BYTES]))

    async def finish(self) -> None:
        """This side's half is closed. Idempotent."""
        if not self._finished:
            self._finished = True
            await self._connection.send(frames.data(self.id, b"", fin=True))

    async def reset(self) -> None:
        """Neither side may go on with it."""
        self._finished = True
        self.incoming.discard()
        await self._connection.send(frames.reset(self.id, frames.PROTOCOL_ERROR))


class SpdyConnection:
    """`accept` is asked about every stream the client opens, by its headers; False refuses it."""

    def __init__(self, connection: Connection, accept: Callable[[Stream], bool]) -> None:
        self._connection = connection
        self._accept = accept
        self._encoder = frames.Encoder()
        self._decoder = frames.Decoder()
        self._streams: dict[int, Stream] = {}

    async def run(self) -> None:
        """Reads until the client has closed; raises SpdyError for what cannot be read."""
        try:
            while received := await self._connection.receive():
                for frame in self._decoder.feed(received):
                    await self._handle(frame)
        finally:
            for stream in self._streams.values():
                stream.incoming.end()

    async def _handle(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Opened():
                await self._opened(frame)
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
                if id % 2:  # the client's; even ones would be answers
                    await self._connection.send(frames.ping(id))

    async def _opened(self, frame: frames.Opened) -> None:
        if frame.stream in self._streams or not frame.stream % 2:
            raise frames.SpdyError(f"stream {frame.stream} cannot be opened")
        stream = Stream(self._connection, frame.stream, frame.headers)
        if len(self._streams) >= MOST_STREAMS:
            await self._connection.send(frames.reset(stream.id, frames.REFUSED_STREAM))
            return
        self._streams[stream.id] = stream
        if frame.fin:
            stream.incoming.end()
        # the answer goes first: whoever accepts may write at once
        await self._connection.send(self._encoder.replied(stream.id))
        if not self._accept(stream):
            del self._streams[stream.id]
            await stream.reset()

    def forget(self, stream: Stream) -> None:
        """Its work is done: what the client may still send to it is read over."""
        self._streams.pop(stream.id, None)
        stream.incoming.discard()

    async def finish(self) -> None:
        await self._connection.send(frames.go_away(max(self._streams, default=0)))
        await self._connection.finish()
