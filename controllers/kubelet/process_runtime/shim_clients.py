"""Who is connected to a shim: the kubelet that monitors it, commands that run beside the container's own, and who is attached to its
streams. Standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import socket
import struct
import termios
from typing import Any, Protocol

from controllers.kubelet.process_runtime import program

LONGEST_REQUEST = 4 * 1024 * 1024
_MOST_WAITING = 8 * 1024 * 1024
_READ = 64 * 1024
FRAME = struct.Struct("!BI")
"""Kind and length of what is sent to and by who is attached."""
STDIN, STDOUT, STDERR, ENDED, RESIZE, END_OF_INPUT = range(6)


class ShimSide(Protocol):
    """What clients ask of their shim."""

    @property
    def config(self) -> Any: ...

    @property
    def terminal(self) -> int: ...

    def asked(self, client: Client, request: dict[str, Any], descriptors: list[int]) -> Client: ...

    def drop(self, client: Client) -> None: ...

    def want(self, client: Client, events: int) -> None: ...

    def program(self, argv: list[str], env: dict[str, str], cwd: str) -> program.Program: ...

    def kill_session(self, session: int) -> None: ...

    def feed(self, data: bytes) -> bool: ...

    def end_input(self) -> None: ...


def read_request(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


class Client:
    """Who asks with JSON lines and is told how the container goes on."""

    def __init__(self, shim: ShimSide, connection: socket.socket) -> None:
        self._shim = shim
        self.socket = connection
        self.waiting = bytearray()
        self._received = bytearray()
        self._descriptors: list[int] = []

    def readable(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self.socket, _READ, 3)
        self._descriptors += descriptors
        if not data or len(self._received) > LONGEST_REQUEST:
            self._shim.drop(self)
            return
        self._received += data
        client: Client = self
        while b"\n" in self._received and client is self:
            line, _, rest = bytes(self._received).partition(b"\n")
            self._received[:] = rest
            descriptors, self._descriptors = self._descriptors, []
            try:
                client = self._shim.asked(self, read_request(line), descriptors)
            except (ValueError, KeyError):
                self._shim.drop(self)
                return
        if client is not self and self._received:
            client.received(bytes(self._received))

    def received(self, data: bytes) -> None:
        """What came behind the request."""

    def writable(self) -> None:
        if self.waiting:
            with contextlib.suppress(BlockingIOError):
                sent = self.socket.send(self.waiting)
                del self.waiting[:sent]
        self._want()

    def _want(self) -> None:
        self._shim.want(self, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.waiting else 0))

    def send_bytes(self, data: bytes) -> None:
        """What nobody reads is not gathered without end: then the client is given up."""
        self.waiting += data
        if len(self.waiting) > _MOST_WAITING:
            self._shim.drop(self)
            return
        try:
            self.writable()
        except OSError:
            self._shim.drop(self)

    def send(self, message: dict[str, Any]) -> None:
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def begin(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """What it was made for."""

    def told(self, message: dict[str, Any]) -> None:
        self.send(message)

    def output(self, stream: bytes, data: bytes) -> None: ...

    def input_taken(self) -> None: ...

    def child_ended(self, pid: int, status: int) -> None: ...

    def closed(self) -> None:
        for each in self._descriptors:
            os.close(each)


class ExecClient(Client):
    """One command with streams that its asker has made: {"argv", "env", "tty"}, answered by {"pid"} or {"error"}, then {"exit"}. Ends with
    its connection."""

    def __init__(self, shim: ShimSide, connection: socket.socket) -> None:
        super().__init__(shim, connection)
        self._pid = 0

    def begin(self, request: dict[str, Any], descriptors: list[int]) -> None:
        config = self._shim.config
        try:
            if len(descriptors) not in (1, 3):
                raise program.CannotStart("a command needs its streams")
            first, out, error = descriptors * 3 if len(descriptors) == 1 else descriptors
            env = {**config["env"], **(request.get("env") or {})}
            made = self._shim.program([str(word) for word in request["argv"]], env, config["cwd"])
            self._pid = program.start(made, (first, out, error), controlling_terminal=bool(request.get("tty")))
            self.send({"pid": self._pid})
        except program.CannotStart as failed:
            self.send({"error": str(failed)})
        finally:
            for each in descriptors:
                os.close(each)

    def told(self, message: dict[str, Any]) -> None:
        """The container's own end ends it too."""

    def child_ended(self, pid: int, status: int) -> None:
        if pid == self._pid:
            self._pid = 0
            self.send({"exit": 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)})

    def closed(self) -> None:
        super().closed()
        if self._pid:
            self._shim.kill_session(self._pid)


class AttachClient(Client):
    """Gets frames of what the container writes from now on and of its end; sends frames of its standard input."""

    def readable(self) -> None:
        data = self.socket.recv(_READ)
        if not data:
            self._shim.drop(self)
            return
        self.received(data)

    def received(self, data: bytes) -> None:
        self._received += data
        room = True
        while len(self._received) >= FRAME.size:
            kind, length = FRAME.unpack_from(self._received)
            if length > LONGEST_REQUEST:
                self._shim.drop(self)
                return
            if len(self._received) < FRAME.size + length:
                break
            body = bytes(self._received[FRAME.size : FRAME.size + length])
            del self._received[: FRAME.size + length]
            room = self._frame(kind, body)
        if not room:
            self._shim.want(self, selectors.EVENT_WRITE if self.waiting else 0)

    def _frame(self, kind: int, body: bytes) -> bool:
        if kind == STDIN:
            return self._shim.feed(body)
        if kind == END_OF_INPUT:
            self._shim.end_input()
        elif kind == RESIZE and self._shim.terminal >= 0:
            rows, columns = struct.unpack("!HH", body)
            resize(self._shim.terminal, columns, rows)
        return True

    def input_taken(self) -> None:
        self._want()

    def output(self, stream: bytes, data: bytes) -> None:
        self._send(STDERR if stream == b"stderr" else STDOUT, data)

    def told(self, message: dict[str, Any]) -> None:
        if "exited" in message:
            self._send(ENDED, str(message["exited"]["code"]).encode())

    def _send(self, kind: int, data: bytes) -> None:
        self.send_bytes(FRAME.pack(kind, len(data)) + data)


def resize(terminal: int, columns: int, rows: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
