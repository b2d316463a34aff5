"""How this server opens connections to what a Service, a Pod or a Node names: a seam, so that the network of simulated pods and the sockets
of this machine are the same to whoever speaks over it."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Protocol

DIAL_SECONDS = 30.0
"""As upstream's transports."""
_READ_AHEAD_BYTES = 64 * 1024


class DialedConnection(Protocol):
    """One reader and one writer at a time."""

    async def read(self, size: int) -> bytes:
        """At most `size` bytes of what has come; b'' at the end. Raises OSError where the connection broke."""
        ...

    async def write(self, data: bytes) -> None:
        """Waits while the other side does not read. Raises OSError where it is gone."""
        ...

    def finish(self) -> None:
        """Nothing more is written; reading goes on."""
        ...

    def close(self) -> None: ...


class Dialer(Protocol):
    async def dial(self, address: str, port: int) -> DialedConnection:
        """Raises OSError: ECONNREFUSED where nothing listens, EHOSTUNREACH where nothing leads."""
        ...


class SocketConnection:
    """A DialedConnection that is a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, size: int) -> bytes:
        return await self._reader.read(size)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def finish(self) -> None:
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


class SocketDialer:
    """Addresses of this machine. No pod's address is one unless somebody gave it one, and nothing is sent to other machines because an
    object of a simulated cluster has their address in it."""

    async def dial(self, address: str, port: int) -> DialedConnection:
        if not is_own(address):
            raise OSError(errno.EHOSTUNREACH, "no route to host")
        return await open_socket(address, port)


async def open_socket(host: str, port: int) -> SocketConnection:
    """Raises OSError."""
    return SocketConnection(*await asyncio.open_connection(host, port, limit=_READ_AHEAD_BYTES))


def is_own(address: str) -> bool:
    """Whether this machine has the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
