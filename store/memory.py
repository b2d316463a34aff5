"""The etcd contract in memory, for tests and for an API server that keeps nothing: full history until compacted."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import AsyncIterator, Sequence
from itertools import islice

from store import watch
from store.broadcaster import Broadcaster
from store.errors import Compacted, FutureRevision, StoreClosed, StoreError
from store.etcd import Listener, Subscription
from store.history import KeyState, event_of, judge
from store.types import Delete, Event, KeyValue, Operation, Put, RangeResult


class MemoryStore:
    def __init__(self) -> None:
        self._now: dict[str, KeyValue] = {}
        self._keys: list[str] = []
        self._log: list[Event] = []
        self._first = 1  # revision of the first event still in the log
        self._base: dict[str, KeyValue] = {}  # the state just before it
        self._compacted = 0
        self._broadcaster = Broadcaster()
        self._watches: set[watch.WatchBuffer] = set()
        self._closed = False

    @property
    def revision(self) -> int:
        return self._first + len(self._log) - 1

    @property
    def compact_revision(self) -> int:
        return self._compacted

    @property
    def failure(self) -> str:
        return "the store is closed" if self._closed else ""

    async def start(self) -> None:
        self._closed = False

    async def lost(self) -> StoreError:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def close(self) -> None:
        self._closed = True
        for buffer in list(self._watches):
            buffer.close()

    # ---- reading

    def _check_readable(self, revision: int) -> None:
        if self._closed:
            raise StoreClosed("the store is closed")
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)
        if 0 < revision < self._compacted:
            raise Compacted(revision, self._compacted)

    def _state(self, revision: int) -> dict[str, KeyValue]:
        self._check_readable(revision)
        if revision in (0, self.revision):
            return self._now
        return self._state_before(revision + 1)

    def _state_before(self, revision: int) -> dict[str, KeyValue]:
        state = dict(self._base)
        for event in islice(self._log, revision - self._first):
            if event.type == "PUT":
                state[event.key_value.key] = event.key_value
            else:
                state.pop(event.key_value.key, None)
        return state

    async def get(self, key: str, *, revision: int = 0) -> KeyValue | None:
        return self._state(revision).get(key)

    async def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0, counted: bool = True) -> RangeResult:
        state = self._state(revision)
        keys = self._keys if state is self._now else sorted(state)
        found = keys[bisect.bisect_left(keys, start) : bisect.bisect_left(keys, end)]
        chosen = found[:limit] if limit else found
        count = len(found) if counted else len(chosen)
        return RangeResult([state[key] for key in chosen], revision or self.revision, count, len(chosen) < len(found))

    shared = False

    async def current(self) -> None:
        return

    async def written(self) -> bool:
        return False

    def listen(self, prefix: str, listener: Listener) -> Subscription:
        return self._broadcaster.listen(prefix, listener)

    def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[Sequence[Event]]:
        return watch.follow(self._broadcaster, self._watches, prefix, start_revision, lambda: self.revision, self._read_history)

    async def history(self, prefix: str, *, start_revision: int, end_revision: int) -> Sequence[Event]:
        self._check_readable(end_revision)
        return await self._read_history(prefix, start_revision, end_revision)

    async def _read_history(self, prefix: str, first: int, last: int) -> Sequence[Event]:
        if first < self._compacted:
            raise Compacted(first, self._compacted)
        past = self._log[max(first - self._first, 0) : last - self._first + 1]
        return [event for event in past if event.key_value.key.startswith(prefix)]

    # ---- writing

    async def create(self, key: str, value: bytes, *, tag: object = None) -> int:
        return (await self.transaction([Put(key, value, 0, tag)]))[0]

    async def update(self, key: str, value: bytes, mod_revision: int, *, tag: object = None) -> int:
        return (await self.transaction([Put(key, value, mod_revision, tag)]))[0]

    async def delete(self, key: str, mod_revision: int | None = None) -> int:
        return (await self.transaction([Delete(key, mod_revision)]))[0]

    async def transaction(self, operations: Sequence[Operation]) -> list[int]:
        if self._closed:
            raise StoreClosed("the store is closed")
        events = self._judge(operations)
        for event in events:
            self._apply(event)
        self._log += [event if event.tag is None else Event(event.type, event.key_value, event.previous) for event in events]
        self._broadcaster.publish(events)
        return [event.key_value.mod_revision for event in events]

    def _judge(self, operations: Sequence[Operation]) -> list[Event]:
        changed: dict[str, KeyValue | None] = {}
        events: list[Event] = []
        for revision, operation in enumerate(operations, self.revision + 1):
            key = operation.key
            previous = changed[key] if key in changed else self._now.get(key)
            before = KeyState(*previous[2:]) if previous else None
            after = judge(operation, before, revision)
            event = event_of(operation, before, after, revision, previous)
            changed[key] = event.key_value if after else None
            events.append(event)
        return events

    def _apply(self, event: Event) -> None:
        key = event.key_value.key
        if event.type == "PUT":
            if key not in self._now:
                bisect.insort(self._keys, key)
            self._now[key] = event.key_value
        elif self._now.pop(key, None) is not None:
            del self._keys[bisect.bisect_left(self._keys, key)]

    async def compact(self, revision: int) -> None:
        self._check_readable(revision)
        if revision <= self._compacted:
            return
        self._base = self._state_before(revision)
        del self._log[: revision - self._first]
        self._first = revision
        self._compacted = revision
