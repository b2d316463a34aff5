"""WebSocket (RFC 6455) as a client speaks it, over a connection that has been handed over.

What comes is bounded by MESSAGE_BYTES; compression is never asked for. Pings are answered.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from kctl.client.streaming.upgrade import Upgraded

MESSAGE_BYTES: Final = 32 * 1024 * 1024
_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0, 2, 8, 9, 10
_FINAL, _MASKED = 0x80, 0x80
_NORMAL_CLOSURE: Final = struct.pack(">H", 1000)


class WebSocketError(Exception):
    """What came is no WebSocket, or more than is taken."""


def handshake(protocols: str, random_bytes: Callable[[int], bytes]) -> dict[str, str]:
    """The headers that ask for a WebSocket; `protocols` are the subprotocols, comma-separated."""
    return {
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(random_bytes(16)).decode(),
        "Sec-WebSocket-Protocol": protocols,
    }


class WebSocket:
    """`random_bytes(n)` makes the masks of what is sent. One task may receive while others send."""

    def __init__(self, connection: Upgraded, random_bytes: Callable[[int], bytes]) -> None:
        self._connection = connection
        self._random = random_bytes
        self._buffer = bytearray()
        self._message = bytearray()
        self.ended = False
        """Whether the other side said that it closes: else it broke off."""

    @property
    def protocol(self) -> str:
        return self._connection.headers.get("sec-websocket-protocol", "")

    async def receive(self) -> bytes:
        """The next message that is not empty; b'' once the server has closed. Raises WebSocketError."""
        while True:
            frame = self._frame()
            if frame is None:
                data = await self._connection.read()
                if not data:
                    return b""
                self._buffer += data
                continue
            final, kind, payload = frame
            if kind == _CLOSE:
                self.ended = True
                return b""
            if kind == _PING:
                await self._send(_PONG, payload)
            elif kind != _PONG:
                self._message += payload
                if len(self._message) > MESSAGE_BYTES:
                    raise WebSocketError(f"a message of more than {MESSAGE_BYTES} bytes")
                if final:
                    message = bytes(self._message)
                    self._message.clear()
                    if message:
                        return message

    def _frame(self) -> tuple[bool, int, bytes] | None:
        """The next frame that has come whole: whether it ends its message, its opcode and what it carries."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        kind, length, start = buffer[0] & 0x0F, buffer[1] & 0x7F, 2
        if buffer[1] & _MASKED or buffer[0] & 0x70:
            raise WebSocketError("a frame that no server sends")
        if length >= 126:
            size, code = (2, ">H") if length == 126 else (8, ">Q")
            start += size
            if len(buffer) < start:
                return None
            (length,) = struct.unpack_from(code, buffer, 2)
        if length > MESSAGE_BYTES:
            raise WebSocketError(f"a frame of {length} bytes")
        if len(buffer) < start + length:
            return None
        payload, final = bytes(buffer[start : start + length]), bool(buffer[0] & _FINAL)
        del buffer[: start + length]
        return final, kind, payload

    async def send(self, data: bytes) -> None:
        """One binary message. Raises ConnectionError where the server is gone."""
        await self._send(_BINARY, data)

    async def ping(self) -> None:
        await self._send(_PING, b"")

    async def close(self) -> None:
        """Say so; nothing more is sent."""
        with suppress(ConnectionError):
            await self._send(_CLOSE, _NORMAL_CLOSURE)
        self._connection.close()

    async def _send(self, kind: int, data: bytes) -> None:
        length = len(data)
        if length < 126:
            head = struct.pack(">BB", _FINAL | kind, _MASKED | length)
        elif length < 1 << 16:
            head = struct.pack(">BBH", _FINAL | kind, _MASKED | 126, length)
        else:
            head = struct.pack(">BBQ", _FINAL | kind, _MASKED | 127, length)
        mask = self._random(4)
        await self._connection.write(head + mask + masked(data, mask))


def masked(data: bytes, mask: bytes) -> bytes:
    """Each byte of `data` with the mask's byte of its place; twice gives the data again."""
    repeated = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(repeated)).to_bytes(len(data))
