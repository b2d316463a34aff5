"""The machine's own network with the face of the simulated one, so that probes and hooks ask real processes as they ask simulated ones."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable

from controllers.kubelet.commands.network import ClusterNetwork, Side
from kctl.apimachinery.clock import Clock

_READ = 64 * 1024
_LONGEST_CONNECT_MILLISECONDS = 5
"""Loopback connections are there, or refused, at once."""


class RealSide(Side):
    """A TCP connection. Nothing waits: what cannot be sent yet is kept."""

    __slots__ = ("_connecting", "_finished", "_loop", "_open", "_room", "_socket", "_unsent")

    def __init__(self, network: ClusterNetwork, connection: socket.socket, wake: Callable[[], None], *, connecting: bool) -> None:
        super().__init__(network, wake, "", "", "TCP")
        self._socket = connection
        self._unsent = bytearray()
        self._finished = False
        self._open = True
        self._connecting = connecting
        self._room: Callable[[], None] = _nobody
        self._loop = asyncio.get_running_loop()
        if connecting:
            self._loop.add_writer(connection.fileno(), self._send_more)
        self._loop.add_reader(connection.fileno(), self._receive)
        self.stdin.taken = self._resume

    @property
    def closed(self) -> bool:
        return not self._open

    @property
    def full(self) -> bool:
        return len(self._unsent) > _READ

    def _resume(self) -> None:
        if self._open and not self.stdin.closed:
            self._loop.add_reader(self._socket.fileno(), self._receive)

    def _receive(self) -> None:
        if self.stdin.full:
            self._loop.remove_reader(self._socket.fileno())
            return
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.stdin.feed(data)
        else:
            self.stdin.closed = True
            self._loop.remove_reader(self._socket.fileno())
        self._wake()

    def write(self, data: bytes) -> None:
        if not self._open:
            raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
        self._unsent += data
        if not self._connecting:
            self._send_more()

    def _send_more(self) -> None:
        self._connecting = False
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._socket.fileno(), self._send_more)
            return
        except OSError:
            self._unsent.clear()
            self.stdin.closed = True
            self._loop.call_soon(self._wake)
        self._loop.remove_writer(self._socket.fileno())
        if self._finished:
            self._shut_down()
        self._room()

    def on_room(self, wake: Callable[[], None]) -> None:
        self._room = wake

    def finish(self) -> None:
        """Once all is sent."""
        self._finished = True
        if not self._unsent:
            self._shut_down()

    def _shut_down(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self._open:
            self._open = False
            self.stdin.closed = True
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()


def _nobody() -> None:
    """Nobody waits."""


class RealNetwork(ClusterNetwork):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)

    def open(self, host: str, port: int, protocol: str = "TCP", wake: Callable[[], None] = lambda: None, source: str = "") -> Side:
        """Raises OSError. One that takes longer than a connection to this machine is answered for as it turns out."""
        connection = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connecting = False
        try:
            connection.connect((host, port))
        except BlockingIOError:
            connecting = not _connected(connection)
        except OSError:
            connection.close()
            raise
        return RealSide(self, connection, wake, connecting=connecting)


def _connected(connection: socket.socket) -> bool:
    """Raises OSError where it has been refused by now."""
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    if not poll.poll(_LONGEST_CONNECT_MILLISECONDS):
        return False
    code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        connection.close()
        raise OSError(code, os.strerror(code))
    return True
