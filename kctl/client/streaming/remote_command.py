"""exec and attach from the client's side: a command's streams over WebSocket channels, or over SPDY streams.

The fifth version of the protocol can say that standard input is at its end, so it is the only one offered over WebSocket, as by client-go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

import orjson

from kctl.apimachinery.objects import Object
from kctl.client.kubelet import TerminalSize
from kctl.client.streaming.dialing import Dialer, StreamingError
from kctl.client.streaming.spdy import OverSocket, SpdyConnection, Stream
from kctl.client.streaming.spdy_frames import SpdyError
from kctl.client.streaming.websocket import WebSocket, WebSocketError

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
_CLOSE = 255
_WEBSOCKET = "v5.channel.k8s.io"
_SPDY = "v4.channel.k8s.io"
_NAMES = ("stdin", "stdout", "stderr", "error", "resize")


class Wanted(NamedTuple):
    """Which streams there are."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class LocalStreams(Protocol):
    """This side's ends of a command's streams."""

    async def read(self) -> bytes:
        """What is to be the command's input; b'' at its end."""
        ...

    def write(self, data: bytes) -> None: ...

    def write_error(self, data: bytes) -> None: ...

    async def resized(self) -> TerminalSize | None:
        """The terminal's size, at first and whenever it changes; None where there will be no other."""
        ...


class CommandTerminated(Exception):
    """The command ended with another exit code than 0."""

    def __init__(self, code: int) -> None:
        super().__init__(f"command terminated with exit code {code}")
        self.code = code


async def stream(dialer: Dialer, path: str, wanted: Wanted, local: LocalStreams) -> None:
    """Connects, and goes on until the command has ended. `path` with its query. Raises CommandTerminated, StreamingError."""
    websocket = await dialer.websocket(path, _WEBSOCKET)
    if websocket is not None:
        await _over_websocket(websocket, wanted, local)
        return
    connection = await dialer.spdy(path, _SPDY)
    spdy = SpdyConnection(OverSocket(connection))
    try:
        await _over_spdy(spdy, wanted, local)
    finally:
        await spdy.close()


async def _over_websocket(websocket: WebSocket, wanted: Wanted, local: LocalStreams) -> None:
    async def send(channel: int, data: bytes) -> None:
        await websocket.send(bytes((channel,)) + data)

    async def finish_input() -> None:
        await websocket.send(bytes((_CLOSE, STDIN)))

    status = b""
    senders = _senders(wanted, local, send, finish_input)
    try:
        while message := await websocket.receive():
            channel, data = message[0], message[1:]
            if channel == STDOUT and wanted.stdout:
                local.write(data)
            elif channel == STDERR and wanted.stderr:
                local.write_error(data)
            elif channel == ERROR:
                status += data
    except (WebSocketError, ConnectionError) as failure:
        raise StreamingError(f"error reading from error stream: {failure}") from None
    finally:
        await _cancel(senders)
        await websocket.close()
    if not status and not websocket.ended:
        raise StreamingError("error reading from error stream: next reader: websocket: close 1006 (abnormal closure): unexpected EOF")
    conclude(status)


async def _over_spdy(spdy: SpdyConnection, wanted: Wanted, local: LocalStreams) -> None:
    reading = asyncio.create_task(_run(spdy))
    streams: dict[int, Stream] = {}
    order = [ERROR, *(channel for channel in (STDIN, STDOUT, STDERR) if wanted[channel]), *([RESIZE] if wanted.tty else [])]
    for channel in order:
        streams[channel] = await spdy.open({"streamtype": _NAMES[channel]})
    await streams[ERROR].finish()

    async def send(channel: int, data: bytes) -> None:
        await streams[channel].write(data)

    async def finish_input() -> None:
        await streams[STDIN].finish()

    async def copy(channel: int, write: Callable[[bytes], None]) -> None:
        while data := await streams[channel].read():
            write(data)

    senders = _senders(wanted, local, send, finish_input)
    try:
        copies = [copy(channel, write) for channel, write in ((STDOUT, local.write), (STDERR, local.write_error)) if channel in streams]
        ended = asyncio.create_task(streams[ERROR].read_all())
        await asyncio.gather(ended, *copies)
    finally:
        await _cancel([*senders, reading])
    conclude(ended.result())


async def _run(spdy: SpdyConnection) -> None:
    with suppress(SpdyError):
        await spdy.run()


def _senders(
    wanted: Wanted,
    local: LocalStreams,
    send: Callable[[int, bytes], Awaitable[None]],
    finish_input: Callable[[], Awaitable[None]],
) -> list[asyncio.Task[None]]:
    """What goes to the server while its answers come."""

    async def send_input() -> None:
        with suppress(ConnectionError):
            while data := await local.read():
                await send(STDIN, data)
            await finish_input()

    async def send_sizes() -> None:
        with suppress(ConnectionError):
            while (size := await local.resized()) is not None:
                await send(RESIZE, orjson.dumps({"Width": size.width, "Height": size.height}))

    return [asyncio.create_task(work()) for work, asked in ((send_input, wanted.stdin), (send_sizes, wanted.tty)) if asked]


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def conclude(status: bytes) -> None:
    """What the error stream says of the end: nothing, or a Status. Raises CommandTerminated, StreamingError."""
    if not status:
        return
    try:
        said: Object = orjson.loads(status)
    except orjson.JSONDecodeError as error:
        raise StreamingError(f"error stream protocol error: {error} in {orjson.dumps(status.decode(errors='replace')).decode()}") from None
    if said.get("status") == "Success":
        return
    if said.get("status") != "Failure":
        raise StreamingError("error stream protocol error: unknown error")
    if said.get("reason") != "NonZeroExitCode":
        raise StreamingError(str(said.get("message") or ""))
    details: Mapping[str, object] | None = said.get("details")
    if details is None:
        raise StreamingError("error stream protocol error: details must be set")
    causes = details.get("causes")
    for cause in causes if isinstance(causes, list) else ():
        if cause.get("reason") == "ExitCode":
            text = str(cause.get("message", ""))
            if not (text.isascii() and text.isdigit() and int(text) < 256):
                raise StreamingError(f'error stream protocol error: invalid exit code value "{text}"')
            if int(text):
                raise CommandTerminated(int(text))
            return
    raise StreamingError("error stream protocol error: no ExitCode cause given")
