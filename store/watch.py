"""Watching from a revision: first what history has, then live events, none missed and none twice.

The live listener is installed before history is read; what both bring is told apart by revision. A reader that falls behind by
more than BUFFERED_EVENTS is dropped: nobody waits for him.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from store.broadcaster import Broadcaster
from store.errors import StoreClosed, WatchDropped
from store.types import Event

BUFFERED_EVENTS = 100_000

ReadHistory = Callable[[str, int, int], Awaitable[Sequence[Event]]]
"""(prefix, first revision, last revision) -> events in order. Raises Compacted."""


class WatchBuffer:
    """What has come since the reader last looked."""

    def __init__(self) -> None:
        self._batches: deque[Sequence[Event]] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self.dropped = False
        self.closed = False

    def put(self, events: Sequence[Event]) -> None:
        if self.dropped:
            return
        self._size += len(events)
        if self._size > BUFFERED_EVENTS:
            self.dropped = True
            self._batches.clear()
        else:
            self._batches.append(events)
        self._arrived.set()

    def close(self) -> None:
        self.closed = True
        self._arrived.set()

    async def get(self) -> Sequence[Event]:
        """The next batch. Raises WatchDropped, StoreClosed."""
        while not self._batches:
            if self.dropped:
                raise WatchDropped(f"the watcher was more than {BUFFERED_EVENTS} events behind")
            if self.closed:
                raise StoreClosed("the store is closed")
            self._arrived.clear()
            await self._arrived.wait()
        batch = self._batches.popleft()
        self._size -= len(batch)
        return batch


async def follow(
    broadcaster: Broadcaster,
    buffers: set[WatchBuffer],
    prefix: str,
    start_revision: int,
    newest_revision: Callable[[], int],
    read_history: ReadHistory,
) -> AsyncIterator[Sequence[Event]]:
    """`buffers` is the owner's set of open watches, closed with the store. Nothing happens before the first step."""
    buffer = WatchBuffer()
    subscription = broadcaster.listen(prefix, buffer.put)
    buffers.add(buffer)
    try:
        next_revision, newest = start_revision, newest_revision()  # asked only now: the listener is there
        if start_revision <= newest:
            past = await read_history(prefix, start_revision, newest)
            next_revision = newest + 1
            if past:
                yield past
        while True:
            batch = [event for event in await buffer.get() if event.key_value.mod_revision >= next_revision]
            if batch:
                yield batch
    finally:
        subscription.close()
        buffers.discard(buffer)
