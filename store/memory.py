"""The etcd contract in memory, for tests and for an API server that keeps nothing: full history until compacted."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import AsyncIterator, Sequence
from itertools import islice

from store.errors import Compacted, Conflict, FutureRevision, KeyExists, KeyNotFound, StoreClosed
from store.etcd import Listener, Subscription
from store.types import Delete, Event, KeyValue, Operation, Put, RangeResult


class _Subscription:
    def __init__(self, listeners: list[_Subscription], prefix: str, listener: Listener) -> None:
        self.prefix, self.listener, self._listeners = prefix, listener, listeners
        listeners.append(self)

    def close(self) -> None:
        if self in self._listeners:
            self._listeners.remove(self)


class MemoryStore:
    def __init__(self) -> None:
        self._now: dict[str, KeyValue] = {}
        self._keys: list[str] = []
        self._log: list[Event] = []
        self._first = 1  # revision of the first event still in the log
        self._base: dict[str, KeyValue] = {}  # the state just before it
        self._compacted = 0
        self._listeners: list[_Subscription] = []
        self._closed = False

    @property
    def revision(self) -> int:
        return self._first + len(self._log) - 1

    @property
    def compact_revision(self) -> int:
        return self._compacted

    async def start(self) -> None:
        self._closed = False

    async def close(self) -> None:
        self._closed = True

    def _state(self, revision: int) -> dict[str, KeyValue]:
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)
        if revision == 0 or revision == self.revision:
            return self._now
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)
        state = dict(self._base)
        for event in islice(self._log, revision - self._first + 1):
            if event.type == "PUT":
                state[event.key_value.key] = event.key_value
            else:
                state.pop(event.key_value.key, None)
        return state

    async def get(self, key: str, *, revision: int = 0) -> KeyValue | None:
        return self._state(revision).get(key)

    async def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0) -> RangeResult:
        state = self._state(revision)
        keys = self._keys if state is self._now else sorted(state)
        found = keys[bisect.bisect_left(keys, start) : bisect.bisect_left(keys, end)]
        chosen = found[:limit] if limit else found
        return RangeResult(
            [state[key] for key in chosen], revision or self.revision, len(found), len(chosen) < len(found)
        )

    async def create(self, key: str, value: bytes) -> int:
        return (await self.transaction([Put(key, value, 0)]))[0]

    async def update(self, key: str, value: bytes, mod_revision: int) -> int:
        return (await self.transaction([Put(key, value, mod_revision)]))[0]

    async def delete(self, key: str, mod_revision: int | None = None) -> int:
        return (await self.transaction([Delete(key, mod_revision)]))[0]

    async def transaction(self, operations: Sequence[Operation]) -> list[int]:
        if self._closed:
            raise StoreClosed("the store is closed")
        state: dict[str, KeyValue | None] = {}
        events: list[Event] = []
        for number, operation in enumerate(operations, self.revision + 1):
            previous = state[operation.key] if operation.key in state else self._now.get(operation.key)
            _check(operation, previous)
            event = _event(operation, previous, number)
            state[operation.key] = event.key_value if event.type == "PUT" else None
            events.append(event)
        for event in events:
            self._apply(event)
        self._log += events
        for subscription in list(self._listeners):
            seen = [event for event in events if event.key_value.key.startswith(subscription.prefix)]
            if seen:
                subscription.listener(seen)
        return [event.key_value.mod_revision for event in events]

    def _apply(self, event: Event) -> None:
        key = event.key_value.key
        if event.type == "PUT":
            if key not in self._now:
                bisect.insort(self._keys, key)
            self._now[key] = event.key_value
        elif self._now.pop(key, None) is not None:
            del self._keys[bisect.bisect_left(self._keys, key)]

    def listen(self, prefix: str, listener: Listener) -> Subscription:
        return _Subscription(self._listeners, prefix, listener)

    async def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[Sequence[Event]]:
        if start_revision < self._compacted:
            raise Compacted(start_revision, self._compacted)
        queue: asyncio.Queue[Sequence[Event]] = asyncio.Queue()
        subscription = self.listen(prefix, queue.put_nowait)
        try:
            past = self._log[max(start_revision - self._first, 0) :]
            missed = [event for event in past if event.key_value.key.startswith(prefix)]
            if missed:
                yield missed
            while True:
                batch = [event for event in await queue.get() if event.key_value.mod_revision >= start_revision]
                if batch:
                    yield batch
        finally:
            subscription.close()

    async def compact(self, revision: int) -> None:
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)
        self._base = dict(self._state(revision))
        del self._log[: revision - self._first + 1]
        self._first = revision + 1
        self._compacted = revision


def _check(operation: Operation, previous: KeyValue | None) -> None:
    expected = operation.mod_revision
    if expected == 0:
        if previous is not None:
            raise KeyExists(operation.key, previous.mod_revision)
    elif previous is None:
        if expected is not None or isinstance(operation, Delete):
            raise KeyNotFound(operation.key)
    elif expected is not None and expected != previous.mod_revision:
        raise Conflict(operation.key, expected, previous.mod_revision)


def _event(operation: Operation, previous: KeyValue | None, revision: int) -> Event:
    if isinstance(operation, Delete):
        assert previous is not None
        gone = KeyValue(operation.key, b"", previous.create_revision, revision, previous.version)
        return Event("DELETE", gone, previous)
    created = previous.create_revision if previous else revision
    version = previous.version + 1 if previous else 1
    return Event("PUT", KeyValue(operation.key, operation.value, created, revision, version), previous)
