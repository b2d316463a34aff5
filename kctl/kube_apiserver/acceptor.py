"""The listening socket. Connections are accepted here and not by asyncio's own server, which at the limit of open files tries again as
often as its backlog is long, with a traceback each time. Here accepting pauses, as in Go's net/http: for 5 ms, then twice as long, up to
a second.

Some descriptors stay free for the store and the logs: a client that opens connections without end must not stop the writes of others.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

_LOG = logging.getLogger(__name__)
BACKLOG = 1024
_AT_ONCE = 64
"""Connections accepted in one turn of the loop."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 1.0
_LOG_SECONDS = 60.0
HANDSHAKE_SECONDS = 32.0
"""Upstream's read header timeout, which Go applies to the handshake too."""
RESERVED = 32
"""Descriptors that connections leave to the rest of the process."""
TLS_BUFFER_BYTES = 16 * 1024
"""What each TLS connection reads into: one record. asyncio's 256 KiB were most of what a thousand idle watches cost."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def most_connections() -> int:
    """What the process's limit of open files leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - RESERVED, 1) if soft != resource.RLIM_INFINITY else 1 << 20


class Acceptor:
    """Accepts until `close`. `in_use` tells how many connections are open."""

    def __init__(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], ssl_context: ssl.SSLContext | None, in_use: Callable[[], int]
    ) -> None:
        self._factory = protocol_factory
        self._ssl = ssl_context
        self._in_use = in_use
        self._most = most_connections()
        self._sockets: list[socket.socket] = []
        self._handshakes: set[asyncio.Task[None]] = set()
        self._pause = 0.0
        self._resume: asyncio.TimerHandle | None = None
        self._logged = float("-inf")

    async def listen(self, host: str, port: int) -> int:
        """Bind every address of `host`; the port bound (useful with port 0). Raises OSError."""
        self._loop = asyncio.get_running_loop()
        resolved = await self._loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, address in dict.fromkeys(resolved):
                if port == 0 and self._sockets:
                    address = (address[0], self._sockets[0].getsockname()[1], *address[2:])
                listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
                listening.setblocking(False)
                self._sockets.append(listening)
        except OSError:
            self.close()
            raise
        if self._ssl is not None:
            SSLProtocol.max_size = TLS_BUFFER_BYTES
        self._watch_sockets()
        return int(self._sockets[0].getsockname()[1])

    def close(self) -> None:
        """No new connections; those that are open go on."""
        if self._resume is not None:
            self._resume.cancel()
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        self._sockets = []
        for task in tuple(self._handshakes):
            task.cancel()

    def _watch_sockets(self) -> None:
        self._resume = None
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if self._in_use() + len(self._handshakes) >= self._most:
                self._back_off(f"{self._most} connections are open, as many as the limit of open files allows")
                return
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._back_off(str(error))
                return
            self._pause = 0.0
            connection.setblocking(False)
            task = self._loop.create_task(self._connect(connection))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._factory, connection, ssl=self._ssl, ssl_handshake_timeout=HANDSHAKE_SECONDS if self._ssl is not None else None
            )
        except OSError:  # whoever speaks no TLS, went away or said nothing; the connection is closed
            return

    def _back_off(self, why: str) -> None:
        self._pause = min(self._pause * 2, _LONGEST_PAUSE) if self._pause else _FIRST_PAUSE
        now = self._loop.time()
        if now - self._logged >= _LOG_SECONDS:
            self._logged = now
            _LOG.warning("no more connections are accepted for a moment: %s", why)
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        self._resume = self._loop.call_later(self._pause, self._watch_sockets)
