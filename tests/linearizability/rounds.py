"""Episodes against a real daemon over HTTPS, with a SIGKILL and a restart in the middle of some."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kctl.client.errors import ConnectionFailed
from tests.crash.daemon_process import Daemon
from tests.linearizability.load import History, play
from tests.linearizability.subjects import HttpSubject

CLIENTS = 8


@asynccontextmanager
async def _subjects(daemon: Daemon) -> AsyncIterator[list[HttpSubject]]:
    """Each with connections of its own."""
    clients = [daemon.client() for _ in range(CLIENTS)]
    try:
        yield [HttpSubject(client) for client in clients]
    finally:
        for client in clients:
            with contextlib.suppress(ConnectionFailed):
                await client.close()


class DaemonEpisodes:
    """The daemon must run; after a kill it runs again."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self._daemon = daemon
        self._seed = seed
        self.operations = 0
        self.kills = 0
        self.counts: Counter[str] = Counter()

    async def episode(self, number: int, operations: int, *, kill: bool) -> History:
        history = History()
        async with _subjects(self._daemon) as subjects:
            first = asyncio.create_task(play(subjects, history, number, operations // 2 if kill else operations, self._seed))
            if kill:
                await self._kill_at(history, operations // 4)
            await first
        if kill:
            await asyncio.to_thread(self._daemon.start)
            async with _subjects(self._daemon) as subjects:
                await play(subjects, history, number, operations // 2, self._seed, 1)
        self.operations += history.size
        self.counts += history.counts
        return history

    async def _kill_at(self, history: History, size: int) -> None:
        async with asyncio.timeout(120):
            while True:
                if history.size >= size:
                    break
                await asyncio.sleep(0.002)
        await asyncio.to_thread(self._daemon.kill)
        self.kills += 1
