"""Connections into the simulated network for what lives outside it, in coroutines: kube-apiserver's proxies, port-forward."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

from controllers.kubelet.commands.network import Side
from kctl.client.kubelet import ByteStream, CannotRun

_PIECE_BYTES = 64 * 1024


class PodConnection:
    """kube_apiserver's DialedConnection. One reader and one writer at a time."""

    def __init__(self, connect: Callable[[Callable[[], None]], Side]) -> None:
        """Raises OSError as `connect` does, which gets what is to be called when something arrives."""
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._left = b""
        self._side = connect(self._arrived.set)
        self._side.on_room(self._taken.set)

    async def read(self, size: int = _PIECE_BYTES) -> bytes:
        """b'' at the end."""
        while not self._left:
            self._arrived.clear()
            self._left = self._side.stdin.take()
            if not self._left:
                if self._side.stdin.closed:
                    return b""
                await self._arrived.wait()
        piece, self._left = self._left[:size], self._left[size:]
        return piece

    async def write(self, data: bytes) -> None:
        """Waits while the other side does not read. Raises BrokenPipeError where it is gone."""
        for start in range(0, len(data), _PIECE_BYTES):
            while self._side.full and not self._side.closed:
                self._taken.clear()
                await self._taken.wait()
            try:
                self._side.write(data[start : start + _PIECE_BYTES])
            except OSError as error:
                raise BrokenPipeError(errno.EPIPE, "Broken pipe") from error

    def finish(self) -> None:
        """Nothing more is written; reading goes on."""
        self._side.finish()

    def close(self) -> None:
        self._side.close()
        self._arrived.set()
        self._taken.set()


async def forward(connection: PodConnection, stream: ByteStream) -> None:
    """Both directions, to the end of both; the pod's end of the connection ends it."""
    sending = asyncio.get_running_loop().create_task(_send(connection, stream))
    try:
        while data := await connection.read():
            await stream.write(data)
    finally:
        sending.cancel()
        connection.close()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(connection: PodConnection, stream: ByteStream) -> None:
    try:
        while data := await stream.read():
            await connection.write(data)
    except BrokenPipeError:
        return
    connection.finish()


def cannot_forward(port: int, pod: str, uid: str, error: OSError) -> CannotRun:
    """As containerd and the kubelet word it."""
    why = "connection refused" if error.errno == errno.ECONNREFUSED else (error.strerror or "").lower()
    namespace = f'network namespace "/var/run/netns/cni-{uid}"'
    dialled = f"IPv4: dial tcp4 127.0.0.1:{port}: connect: {why} IPv6 dial tcp6 [::1]:{port}: connect: {why}"
    inside = f'failed to execute portforward in {namespace}: failed to connect to localhost:{port} inside namespace "{uid}", {dialled}'
    return CannotRun(f"error forwarding port {port} to pod {pod}, uid {uid}: {inside}")
