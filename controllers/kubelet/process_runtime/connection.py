"""Talking to a shim from the event loop: its messages, commands beside the container's own, and what it writes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from controllers.kubelet.process_runtime.shim_clients import FRAME

_READ = 64 * 1024


def connect(folder: Path) -> socket.socket:
    """To the shim of the container in that folder, however long its path is. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.connect(f"/proc/self/fd/{descriptor}/shim.sock")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(descriptor)
    return connection


class Monitor:
    """Each message of a shim goes to `told`; None when its connection ends."""

    def __init__(self, connection: socket.socket, told: Callable[[dict[str, Any] | None], None]) -> None:
        self._connection = connection
        self._told = told
        self._received = b""
        self._open = True
        asyncio.get_running_loop().add_reader(connection.fileno(), self._readable)

    def send(self, message: Mapping[str, Any]) -> None:
        """A shim that is gone has said so, or will."""
        if self._open:
            with contextlib.suppress(OSError):
                self._connection.send(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            self._connection.close()

    def _readable(self) -> None:
        try:
            data = self._connection.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            if self._open:
                self._told(json.loads(line))
        if not data and self._open:
            self.close()
            self._told(None)


async def readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(descriptor, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def write_all(descriptor: int, data: bytes) -> None:
    """Raises OSError where nobody reads any more."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            await _writable(descriptor)


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(descriptor, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


class CommandFailed(Exception):
    """It could not be started; the shim's words."""


class Command:
    """One command beside the container's own, with the streams it is given: three descriptors, or one of a terminal. Closing it ends the
    command."""

    def __init__(self, folder: Path, argv: Sequence[str], descriptors: Sequence[int], env: Mapping[str, str] | None = None) -> None:
        """Raises OSError where the shim is gone."""
        self._connection = connect(folder)
        request = {"op": "exec", "argv": list(argv), "env": dict(env or {}), "tty": len(descriptors) == 1}
        self._request = json.dumps(request).encode() + b"\n"
        first, self._request = self._request[:_READ], self._request[_READ:]
        socket.send_fds(self._connection, [first], list(descriptors))
        self._received = b""

    async def started(self) -> None:
        """Raises CommandFailed."""
        loop = asyncio.get_running_loop()
        if self._request:
            await loop.sock_sendall(self._connection, self._request)
        answer = await self._line()
        if "error" in answer:
            raise CommandFailed(str(answer["error"]))

    async def ended(self) -> int:
        """Its exit code; 137 where the container ended first."""
        return int((await self._line()).get("exit", 137))

    async def _line(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        while b"\n" not in self._received:
            try:
                data = await loop.sock_recv(self._connection, _READ)
            except OSError:
                data = b""
            if not data:
                return {}
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def close(self) -> None:
        self._connection.close()


class Attachment:
    """Frames of and for a container's own process."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._connection = connect(folder)
        self._connection.send(b'{"op": "attach"}\n')
        self._received = b""

    async def frame(self) -> tuple[int, bytes] | None:
        """(kind, data); None at the end."""
        loop = asyncio.get_running_loop()
        while True:
            if len(self._received) >= FRAME.size:
                kind, length = FRAME.unpack_from(self._received)
                if len(self._received) >= FRAME.size + length:
                    body = self._received[FRAME.size : FRAME.size + length]
                    self._received = self._received[FRAME.size + length :]
                    return int(kind), body
            try:
                data = await loop.sock_recv(self._connection, _READ)
            except OSError:
                data = b""
            if not data:
                return None
            self._received += data

    async def send(self, kind: int, data: bytes) -> None:
        """Waits while the container does not read. Raises OSError where it is gone."""
        await asyncio.get_running_loop().sock_sendall(self._connection, FRAME.pack(kind, len(data)) + data)

    def close(self) -> None:
        self._connection.close()
