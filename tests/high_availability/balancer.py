"""One address for several API servers, as a load balancer in front of them has it: a connection goes to the first that takes it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence

_READ_BYTES = 64 * 1024


class Balancer:
    """Passes TCP on to `ports` of this machine, in turn; TLS goes through it."""

    def __init__(self) -> None:
        self.ports: Sequence[int] = ()
        self._turn = itertools.count()
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """The URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            for _ in range(len(self.ports)):
                port = self.ports[next(self._turn) % len(self.ports)]
                with contextlib.suppress(OSError):
                    other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
                    break
            else:
                return
            await asyncio.wait(
                [asyncio.ensure_future(_pump(reader, other_writer)), asyncio.ensure_future(_pump(other_reader, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            other_writer.close()
        except asyncio.CancelledError:
            return
        finally:
            writer.close()
            self._tasks.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()
        writer.close()
