"""Upgrades of aiohttp's connections: 101, then WebSocket messages or plain bytes until whoever serves the connection is done.

Imported with the first upgrade.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aiohttp import WSMsgType, web
from aiohttp.web_exceptions import HTTPException

from kctl.apimachinery.clock import Clock, timeout
from kctl.kube_apiserver.response import UpgradeAnswer
from kctl.kube_apiserver.streaming.connection import IDLE_SECONDS, MESSAGE_BYTES

if TYPE_CHECKING:
    from kctl.kube_apiserver.http_protocol import Protocol

_LOG = logging.getLogger(__name__)
_READ_AHEAD_BYTES = 64 * 1024


class _Idle:
    """Wakes a reader up when nothing has gone either way for too long."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.monotonic()

    def used(self) -> None:
        self._last = self._clock.monotonic()

    def left(self) -> float:
        return IDLE_SECONDS - (self._clock.monotonic() - self._last)


class _WebSocket:
    """`as_text`: messages are text, as base64 protocols want it."""

    def __init__(self, socket: web.WebSocketResponse, clock: Clock, *, as_text: bool) -> None:
        self._socket = socket
        self._clock = clock
        self._idle = _Idle(clock)
        self._as_text = as_text

    async def receive(self) -> bytes:
        while (left := self._idle.left()) > 0:
            try:
                async with timeout(self._clock, left):
                    message = await self._socket.receive()
            except TimeoutError:
                continue
            self._idle.used()
            if message.type is WSMsgType.TEXT:
                if message.data:
                    return bytes(message.data) if isinstance(message.data, bytes) else str(message.data).encode()
            elif message.type is WSMsgType.BINARY:
                if message.data:
                    return bytes(message.data)
            else:
                return b""
        return b""

    async def send(self, data: bytes) -> None:
        self._idle.used()
        await self._socket.send_frame(data, WSMsgType.TEXT if self._as_text else WSMsgType.BINARY)

    async def finish(self) -> None:
        await self._socket.send_frame(b"\x03\xe8", WSMsgType.CLOSE)  # 1000: normal closure


class _Bytes:
    """What is left of a connection when HTTP is gone. aiohttp's protocol feeds it (its payload parser)."""

    def __init__(self, protocol: Protocol, transport: asyncio.Transport, clock: Clock) -> None:
        self._protocol = protocol
        self._transport = transport
        self._clock = clock
        self._idle = _Idle(clock)
        self._received = bytearray()
        self._ended = False
        self._paused = False
        self._changed = asyncio.Event()

    # ---- aiohttp's parser

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._received += data
        if len(self._received) > _READ_AHEAD_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._changed.set()
        return False, b""

    def feed_eof(self) -> None:
        self._ended = True
        self._changed.set()

    # ---- Connection

    async def receive(self) -> bytes:
        while not self._received and not self._ended:
            left = self._idle.left()
            if left <= 0:
                return b""
            self._changed.clear()
            try:
                async with timeout(self._clock, left):
                    await self._changed.wait()
            except TimeoutError:
                continue
        self._idle.used()
        data = bytes(self._received)
        self._received.clear()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def send(self, data: bytes) -> None:
        self._idle.used()
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)
        await self._protocol._drain_helper()

    async def finish(self) -> None:
        return


class _Switched(web.StreamResponse):
    """101 and its headers; what follows is written past it."""

    _length_check = False


async def upgrade(
    incoming: web.BaseRequest, answer: UpgradeAnswer, headers: Mapping[str, str], clock: Clock, tasks: set[asyncio.Task[Any]]
) -> web.StreamResponse:
    """Serves the connection to its end. `headers` go with the 101; `tasks`: what a stopping server cancels."""
    protocol = cast("Protocol", incoming.protocol)
    transport = incoming.transport
    if transport is None:
        raise ConnectionResetError("the client is gone")
    connection: _WebSocket | _Bytes
    if answer.protocol == "websocket" and not answer.raw:
        subprotocols = (answer.subprotocol,) if answer.subprotocol else ()
        socket = web.WebSocketResponse(protocols=subprotocols, compress=False, max_msg_size=MESSAGE_BYTES, autoping=True, decode_text=False)
        outgoing: web.StreamResponse = socket
        connection = _WebSocket(socket, clock, as_text=answer.as_text)
        try:
            await socket.prepare(incoming)
        except HTTPException as refused:
            return web.Response(status=refused.status, text=refused.text)
    else:
        outgoing = _Switched(status=101, headers={"Connection": "Upgrade", "Upgrade": answer.protocol, **headers})
        outgoing.force_close()
        connection = _Bytes(protocol, transport, clock)
        protocol.set_parser(cast(Any, connection))
        await outgoing.prepare(incoming)
    task = asyncio.current_task()
    assert task is not None
    tasks.add(task)
    protocol.streaming = task
    try:
        await answer.serve(connection)
    except (ConnectionError, asyncio.CancelledError):
        pass
    except Exception:
        _LOG.exception("serving %s", incoming.path)
    finally:
        tasks.discard(task)
        protocol.streaming = None
        if isinstance(outgoing, web.WebSocketResponse) and not outgoing.closed and incoming.transport is not None:
            incoming.transport.close()
    return outgoing
