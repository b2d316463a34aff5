"""pods/log for clients that ask for a WebSocket: every piece of the log is a message (apimachinery's wsstream reader)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable

from kctl.kube_apiserver.streaming.connection import Connection

PROTOCOLS = {"": False, "binary.k8s.io": False, "base64.binary.k8s.io": True}
"""Subprotocol (none where the client names none) > whether its messages are text in base64."""
_MESSAGE_BYTES = 32 * 1024


def serve(chunks: AsyncIterator[bytes], *, as_text: bool) -> Callable[[Connection], Awaitable[None]]:
    """Sends all of `chunks`, after an empty message that tells the client it is connected; ends early with the client."""
    size = _MESSAGE_BYTES // 4 * 3 if as_text else _MESSAGE_BYTES

    async def run(connection: Connection) -> None:
        await connection.send(b"")
        gone = asyncio.create_task(_closed(connection))
        sending = asyncio.create_task(send(connection))
        try:
            await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
                await connection.finish()
        finally:
            for task in (gone, sending):
                task.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)

    async def send(connection: Connection) -> None:
        async for chunk in chunks:
            for start in range(0, len(chunk), size):
                part = chunk[start : start + size]
                await connection.send(base64.b64encode(part) if as_text else part)

    return run


async def _closed(connection: Connection) -> None:
    """What a client sends has no meaning here."""
    while await connection.receive():
        pass
