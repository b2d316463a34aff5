"""Two TCP connections joined to one: what comes in at one side goes out at the other, each direction to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class Side(asyncio.Protocol):
    """One of the two. Nothing is read from it before the other one is there."""

    def __init__(self, made: Callable[[Side], None]) -> None:
        self._made = made
        self._other: Side | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()
        self._made(self)

    def join(self, other: Side) -> None:
        """Both have been made; either may be gone again."""
        self._other, other._other = other, self
        for each in (self, other):
            if each.transport.is_closing():
                self.transport.abort()
                other.transport.abort()
                return
        self.transport.resume_reading()
        other.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._other is not None:
            self._other.transport.write(data)

    def eof_received(self) -> bool:
        """The other direction may go on."""
        if self._other is None or self._other.transport.is_closing():
            return False
        self._other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self._other is not None and not self._other.transport.is_closing():
            self._other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None and not self._other.transport.is_closing():
            self._other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        other = self._other
        if other is not None and not other.transport.is_closing():
            other.transport.abort() if error is not None else other.transport.close()


def as_streams(transport: asyncio.Transport) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Of a connection whose protocol has read nothing yet."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
