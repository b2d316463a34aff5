"""Every implementation of the etcd contract against a model that keeps each revision's whole state."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.errors import Compacted, Conflict, KeyExists, KeyNotFound, StoreError
from store.etcd import Etcd
from store.memory import MemoryStore
from store.sqlite import SqliteStore
from store.types import Delete, Event, KeyValue, Operation, Put
from tests.contract.etcd_server import etcd_store

KEYS = ("/a", "/a/1", "/a/2", "/b", "/b/1")
State = dict[str, KeyValue]


@dataclass
class Model:
    """`states[r]` is the state at revision r, `events[r - 1]` what made it."""

    states: list[State] = field(default_factory=lambda: [{}])
    events: list[tuple[str, str, int, bytes]] = field(default_factory=list)
    compacted: int = 0

    @property
    def revision(self) -> int:
        return len(self.events)

    def apply(self, operations: Sequence[Operation]) -> type[StoreError] | None:
        """What the store must raise; None when everything is stored."""
        states, events = [self.states[-1]], []
        for operation in operations:
            state, revision = dict(states[-1]), self.revision + len(events) + 1
            old, wanted = state.get(operation.key), operation.mod_revision
            if isinstance(operation, Put) and wanted == 0:
                if old:
                    return KeyExists
            elif old is None:
                if wanted is not None or isinstance(operation, Delete):
                    return KeyNotFound
            elif wanted is not None and wanted != old.mod_revision:
                return Conflict
            if isinstance(operation, Delete):
                del state[operation.key]
                events.append(("DELETE", operation.key, revision, b""))
            else:
                created, version = (old.create_revision, old.version + 1) if old else (revision, 1)
                state[operation.key] = KeyValue(operation.key, operation.value, created, revision, version)
                events.append(("PUT", operation.key, revision, operation.value))
            states.append(state)
        self.states += states[1:]
        self.events += events
        return None


keys = st.sampled_from(KEYS)
values = st.binary(max_size=3)
_PRESENT = -1  # the key's own revision, filled in when the script is played
conditions = st.sampled_from([None, 0, _PRESENT, _PRESENT, 3, 7])
puts = st.builds(Put, keys, values, conditions)
deletes = st.builds(Delete, keys, st.sampled_from([None, _PRESENT, 2]))
steps = st.one_of(
    st.tuples(st.just("write"), st.lists(puts | puts | deletes, min_size=1, max_size=4)),
    st.tuples(st.just("read"), st.integers(0, 12), st.sampled_from(["/", "/a", "/a/", "/b"]), st.integers(0, 3)),
    st.tuples(st.just("watch"), st.integers(1, 12), st.sampled_from(["/", "/a", "/b/"])),
    st.tuples(st.just("compact"), st.integers(1, 12)),
    st.tuples(st.just("restart")),
)


def _aimed(operations: Sequence[Operation], state: State) -> list[Operation]:
    """With _PRESENT replaced by the key's present revision (or 1 where it has none)."""
    return [
        operation._replace(mod_revision=state[operation.key].mod_revision if operation.key in state else 1)
        if operation.mod_revision == _PRESENT
        else operation
        for operation in operations
    ]


def _told(events: Sequence[Event]) -> list[tuple[str, str, int, bytes]]:
    return [(event.type, event.key_value.key, event.key_value.mod_revision, event.key_value.value) for event in events]


async def _write(store: Etcd, model: Model, operations: Sequence[Operation]) -> None:
    aimed, before = _aimed(operations, model.states[-1]), model.revision
    expected = model.apply(aimed)
    if expected is None:
        assert await store.transaction(aimed) == list(range(before + 1, model.revision + 1))
    else:
        with pytest.raises(expected):
            await store.transaction(aimed)
    assert store.revision == model.revision


async def _read(store: Etcd, model: Model, back: int, prefix: str, limit: int) -> None:
    revision = max(model.revision - back, 0)
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    if 0 < revision < model.compacted:
        with pytest.raises(Compacted):
            await store.range(prefix, end, revision=revision)
        return
    state = model.states[revision or model.revision]
    wanted = sorted(key for key in state if prefix <= key < end)
    found = await store.range(prefix, end, revision=revision, limit=limit)
    assert list(found.key_values) == [state[key] for key in (wanted[:limit] if limit else wanted)]
    assert (found.count, found.more) == (len(wanted), bool(limit) and len(wanted) > limit)
    for key in KEYS:
        assert await store.get(key, revision=revision) == state.get(key)


async def _watch(store: Etcd, model: Model, back: int, prefix: str) -> None:
    start = max(model.revision - back, 1)
    stream: Any = store.watch(prefix, start_revision=start)
    if start < model.compacted:
        with pytest.raises(Compacted):
            await anext(stream)
        return
    wanted = [event for event in model.events[start - 1 :] if event[1].startswith(prefix)]
    seen: list[tuple[str, str, int, bytes]] = []
    while len(seen) < len(wanted):
        seen += _told(await asyncio.wait_for(anext(stream), 5))
    assert seen == wanted
    await stream.aclose()


async def _compact(store: Etcd, model: Model, back: int) -> None:
    revision = model.revision - back
    if revision < max(model.compacted, 1):
        return
    await store.compact(revision)
    model.compacted = revision
    assert store.compact_revision == revision


async def _play(make: Callable[[], Etcd], script: Sequence[tuple[Any, ...]]) -> None:
    model, store, heard = Model(), make(), list[Event]()
    await store.start()
    store.listen("/", heard.extend)
    for kind, *arguments in script:
        match kind:
            case "write":
                await _write(store, model, *arguments)
            case "read":
                await _read(store, model, *arguments)
            case "watch":
                await _watch(store, model, *arguments)
            case "compact":
                await _compact(store, model, *arguments)
            case "restart" if isinstance(store, SqliteStore):
                await store.close()
                store = make()
                await store.start()
                store.listen("/", heard.extend)
                assert (store.revision, store.compact_revision) == (model.revision, model.compacted)
    assert _told(heard) == model.events
    await _read(store, model, 0, "/", 0)
    await store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=25))
def test_memory_keeps_the_contract(script: list[tuple[Any, ...]]) -> None:
    asyncio.run(_play(MemoryStore, script))


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=25))
def test_sqlite_keeps_the_contract_over_restarts(script: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(_play(lambda: SqliteStore(Path(folder) / "state.db"), script))


@settings(max_examples=25, deadline=None)
@given(st.lists(steps, max_size=20))
def test_etcd_keeps_the_contract(script: list[tuple[Any, ...]]) -> None:
    """With one operation a transaction: those of several have one revision there."""
    single = [(kind, arguments[0][:1]) if kind == "write" else (kind, *arguments) for kind, *arguments in script]
    asyncio.run(_play(etcd_store, single))
