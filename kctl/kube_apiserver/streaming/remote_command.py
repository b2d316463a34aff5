"""exec and attach over an upgraded connection: the streams of a command as WebSocket channels or as SPDY streams.

Channels and versions are those of k8s.io/streaming's remote command protocol: 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize. The fifth
version can say that stdin is at its end (255 and the channel); before that it ends with the connection.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import orjson

from kctl.apimachinery.clock import Clock, timeout
from kctl.apimachinery.status import ApiError
from kctl.client.kubelet import CannotRun, Process, TerminalSize
from kctl.client.streaming.pipe import Pipe
from kctl.client.streaming.spdy_frames import SpdyError
from kctl.kube_apiserver.streaming import exit_status
from kctl.kube_apiserver.streaming.connection import FINISH_SECONDS, Connection
from kctl.kube_apiserver.streaming.spdy import SpdyConnection, Stream

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
_CLOSE = 255
WEBSOCKET_VERSIONS: Mapping[str, int] = {
    "v5.channel.k8s.io": 5,
    "v4.channel.k8s.io": 4,
    "v4.base64.channel.k8s.io": 4,
    "": 1,
    "channel.k8s.io": 1,
    "base64.channel.k8s.io": 1,
}
"""By subprotocol; '' where the client names none."""
SPDY_VERSIONS: Mapping[str, int] = {
    "v4.channel.k8s.io": 4,
    "v3.channel.k8s.io": 3,
    "v2.channel.k8s.io": 2,
    "channel.k8s.io": 1,
}
CREATION_SECONDS = 30.0
"""For a SPDY client to open its streams: upstream's DefaultStreamCreationTimeout."""
_NAMES = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}
_WRITE_BYTES = 32 * 1024
_RESIZE_BYTES = 4 * 1024


class Options(NamedTuple):
    """Which streams the client wants."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class _Session:
    """The terminal of one command, over whatever `write_channel` writes to."""

    def __init__(self, options: Options, write_channel: Callable[[int, bytes], Awaitable[None]]) -> None:
        self.tty, self.has_input = options.tty, options.stdin
        self.input = Pipe()
        if not options.stdin:
            self.input.end()
        self._options = options
        self._write_channel = write_channel
        self._size: TerminalSize | None = None
        self._resizes = b""

    async def read(self) -> bytes:
        return await self.input.read()

    async def write(self, data: bytes) -> None:
        if self._options.stdout:
            await self._write(STDOUT, data)

    async def write_error(self, data: bytes) -> None:
        if self.tty:
            await self.write(data)
        elif self._options.stderr:
            await self._write(STDERR, data)

    async def _write(self, channel: int, data: bytes) -> None:
        for start in range(0, len(data), _WRITE_BYTES):
            await self._write_channel(channel, data[start : start + _WRITE_BYTES])

    def size(self) -> TerminalSize | None:
        return self._size

    def resized(self, data: bytes) -> None:
        """JSON documents one after another, in pieces perhaps."""
        self._resizes = (self._resizes + data)[-_RESIZE_BYTES:]
        *whole, rest = self._resizes.replace(b"}", b"}\0").split(b"\0")
        self._resizes = rest
        for text in whole:
            with suppress(orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
                document = orjson.loads(text)
                self._size = TerminalSize(int(document["Width"]), int(document["Height"]))


async def over_websocket(connection: Connection, protocol: str, options: Options, clock: Clock, process: Process, doing: str) -> None:
    """Runs `process` to its end, or to the client's."""
    version, as_text = WEBSOCKET_VERSIONS[protocol], "base64" in protocol

    async def send(channel: int, data: bytes) -> None:
        await connection.send(b"%d" % channel + base64.b64encode(data) if as_text else bytes((channel,)) + data)

    session = _Session(options, send)
    # tells the client that it is connected, before there is any output
    await send(STDOUT if options.stdout else STDERR if options.stderr else ERROR, b"")

    async def pump() -> None:
        while message := await connection.receive():
            if version >= 5 and message[0] == _CLOSE:
                if message[1:] == bytes((STDIN,)):
                    session.input.end()
                continue
            channel, data = (message[0] - 48, _plain(message[1:])) if as_text else (message[0], message[1:])
            if channel == STDIN:
                await session.input.feed(data)
            elif channel == RESIZE:
                session.resized(data)

    async def tell(status: bytes) -> None:
        if status:
            await send(ERROR, status)
        await connection.finish()

    await _run(session, clock, pump, process, doing, version, tell)


def _plain(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


async def over_spdy(connection: Connection, protocol: str, options: Options, clock: Clock, process: Process, doing: str) -> None:
    version = SPDY_VERSIONS[protocol]
    wanted = {ERROR, *(channel for channel, asked in enumerate(options[:3]) if asked)}
    if options.tty and version >= 3:
        wanted.add(RESIZE)
    streams: dict[int, Stream] = {}
    complete = asyncio.Event()

    def accept(stream: Stream) -> bool:
        channel = _NAMES.get(stream.headers.get("streamtype", ""))
        if channel is None or channel in streams:
            return False
        streams[channel] = stream
        if wanted <= streams.keys():
            complete.set()
        return True

    spdy = SpdyConnection(connection, accept)

    async def send(channel: int, data: bytes) -> None:
        await streams[channel].write(data)

    session = _Session(options, send)

    async def read_input() -> None:
        while data := await streams[STDIN].read():
            await session.input.feed(data)
        session.input.end()

    async def read_sizes() -> None:
        while data := await streams[RESIZE].read():
            session.resized(data)

    async def pump() -> None:
        with suppress(SpdyError):
            await spdy.run()

    async def tell(status: bytes) -> None:
        for channel in (STDIN, RESIZE):
            if channel in streams:
                streams[channel].incoming.discard()
        if status:
            await streams[ERROR].write(status)
        for channel in (STDOUT, STDERR, ERROR):
            if channel in streams:
                await streams[channel].finish()

    async def started(terminal: object) -> int:
        async with timeout(clock, CREATION_SECONDS):
            await complete.wait()
        readers = [asyncio.create_task(read()) for channel, read in ((STDIN, read_input), (RESIZE, read_sizes)) if channel in wanted]
        try:
            return await process(session)
        finally:
            for reader in readers:
                reader.cancel()

    await _run(session, clock, pump, started, doing, version, tell)


async def _run(
    session: _Session,
    clock: Clock,
    pump: Callable[[], Awaitable[None]],
    process: Process,
    doing: str,
    version: int,
    tell: Callable[[bytes], Awaitable[None]],
) -> None:
    reading = asyncio.ensure_future(pump())
    running = asyncio.ensure_future(process(session))
    try:
        await asyncio.wait({running, reading}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            return  # the client is gone, and the command with it
        session.input.discard()
        status = _status(running, doing)
        if status is not None:
            await tell(exit_status.encoded(status, version))
            with suppress(TimeoutError):
                async with timeout(clock, FINISH_SECONDS):
                    await asyncio.wait({reading})
    finally:
        for task in (reading, running):
            task.cancel()
        await asyncio.gather(reading, running, return_exceptions=True)


def _status(running: asyncio.Future[int], doing: str) -> dict[str, object] | None:
    """None where there is nobody to tell."""
    try:
        return exit_status.exited(running.result())
    except CannotRun as error:
        return exit_status.cannot_run(error, doing)
    except ApiError as error:
        return exit_status.failed(f"unable to upgrade connection: {error}")
    except (TimeoutError, ConnectionError):
        return None
