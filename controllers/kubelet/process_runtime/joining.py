"""Two TCP connections joined to one: what comes in at one side goes out at the other, each direction to its end.

On bare sockets: a connection through a Service costs a third of what two of asyncio's transports do.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable

_BUFFER = bytearray(256 * 1024)
_VIEW = memoryview(_BUFFER)
"""What is read is sent, or kept elsewhere, before anything else is read."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset."""


def reset(connection: socket.socket) -> None:
    """Ends it so that the other side sees an error, not an end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


class Connecting:
    """A connection to a loopback address. `done` is called with it, or with None and the errno: at once, or once it is known."""

    def __init__(self, address: str, port: int, done: Callable[[socket.socket | None, int], None]) -> None:
        """Raises OSError where there are no more descriptors."""
        self._done = done
        self._socket = made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.waiting = False
        code = made.connect_ex((address, port))
        if code == errno.EINPROGRESS:
            code = made.connect_ex((address, port))  # on the loopback it is there by now, or refused
        if code == errno.EALREADY:
            self.waiting = True
            asyncio.get_running_loop().add_writer(made.fileno(), self._writable)
        else:
            self._end(0 if code == errno.EISCONN else code)

    def _writable(self) -> None:
        asyncio.get_running_loop().remove_writer(self._socket.fileno())
        self.waiting = False
        self._end(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _end(self, code: int) -> None:
        if code:
            self._socket.close()
            self._done(None, code)
            return
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._done(self._socket, 0)

    def cancel(self) -> None:
        """`done` is not called any more."""
        if self.waiting:
            self.waiting = False
            asyncio.get_running_loop().remove_writer(self._socket.fileno())
            self._socket.close()


class _End:
    """One of the two sockets."""

    __slots__ = ("_joint", "_loop", "_reads", "_unsent", "finished", "other", "socket")

    def __init__(self, joint: Joint, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        self._joint = joint
        self._loop = loop
        self.socket = connection
        self.other: _End
        self._unsent = b""
        self._reads = False
        self.finished = False
        """Nothing more comes from it."""

    def start(self) -> None:
        self._reads = True
        self._loop.add_reader(self.socket.fileno(), self.readable)

    def _pause(self) -> None:
        if self._reads:
            self._reads = False
            self._loop.remove_reader(self.socket.fileno())

    def readable(self) -> None:
        try:
            size = self.socket.recv_into(_BUFFER)
        except BlockingIOError:
            return
        except OSError:
            self._joint.close(reset)
            return
        if size:
            self.other._send(_VIEW[:size])
            return
        self.finished = True
        self._pause()
        if not self.other._unsent:
            self.other._finish()

    def _send(self, data: memoryview) -> None:
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._joint.close(reset)
            return
        if sent < len(data):
            self._unsent = bytes(data[sent:])
            self.other._pause()
            self._loop.add_writer(self.socket.fileno(), self._writable)

    def _writable(self) -> None:
        try:
            sent = self.socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self._joint.close(reset)
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            return
        self._loop.remove_writer(self.socket.fileno())
        if self.other.finished:
            self._finish()
        else:
            self.other.start()

    def _finish(self) -> None:
        """All that has come from the other side is sent; what goes there may go on."""
        if self.finished and not self.other._unsent:
            self._joint.close()
            return
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._joint.close(reset)

    def close(self, how: Callable[[socket.socket], None]) -> None:
        self._pause()
        if self._unsent:
            self._unsent = b""
            self._loop.remove_writer(self.socket.fileno())
        how(self.socket)


class Joint:
    """Of two sockets that are connected and do not block. `ended` is called once."""

    __slots__ = ("_ended", "_far", "_near")

    def __init__(self, near: socket.socket, far: socket.socket, ended: Callable[[Joint], None]) -> None:
        loop = asyncio.get_running_loop()
        self._near, self._far = _End(self, loop, near), _End(self, loop, far)
        self._near.other, self._far.other = self._far, self._near
        self._ended: Callable[[Joint], None] | None = ended

    def start(self) -> None:
        self._near.start()
        self._far.start()
        self._near.readable()  # who has connected has mostly sent something by now

    def close(self, how: Callable[[socket.socket], None] = socket.socket.close) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            self._near.close(how)
            self._far.close(how)
            ended(self)
