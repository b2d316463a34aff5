"""Connections to pods that are processes of this machine: for port-forward and for kube-apiserver."""

from __future__ import annotations

import asyncio
import contextlib

from controllers.kubelet.network.connections import cannot_forward
from controllers.kubelet.pod_worker import PodWorker
from controllers.kubelet.runtime import RealContainer
from kctl.client.kubelet import ByteStream, Forward

_PIECE_BYTES = 64 * 1024


def real_address(worker: PodWorker) -> str:
    """Where the ports of its processes are; '' where it has none."""
    for container in (*worker.containers, *worker.init):
        handle = container.handle
        if handle is not None and isinstance(handle, RealContainer):
            return handle.address
    return ""


class RealConnection:
    """kube_apiserver's DialedConnection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, size: int = _PIECE_BYTES) -> bytes:
        """b'' at the end."""
        try:
            return await self._reader.read(size)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Waits while the other side does not read. Raises OSError where it is gone."""
        self._writer.write(data)
        await self._writer.drain()

    def finish(self) -> None:
        """Nothing more is written; reading goes on."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


async def dial(address: str, port: int) -> RealConnection:
    """Raises OSError."""
    return RealConnection(*await asyncio.open_connection(address, port))


def forward_to(address: str, pod: str, uid: str) -> Forward:
    async def serve(port: int, stream: ByteStream) -> None:
        try:
            connection = await dial(address, port)
        except OSError as refused:
            raise cannot_forward(port, pod, uid, refused) from None
        sending = asyncio.get_running_loop().create_task(_send(connection, stream))
        try:
            while data := await connection.read():
                await stream.write(data)
        finally:
            sending.cancel()
            connection.close()
            await asyncio.gather(sending, return_exceptions=True)

    return serve


async def _send(connection: RealConnection, stream: ByteStream) -> None:
    with contextlib.suppress(OSError):
        while data := await stream.read():
            await connection.write(data)
        connection.finish()
