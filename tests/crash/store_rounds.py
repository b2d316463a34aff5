"""Rounds of SIGKILL against a store: what was acknowledged is there, nothing is half there, and nothing else is.

After each kill the file is opened again. What it holds must be, key by key and revision by revision, what was acknowledged, and of
each writer's one unanswered write all or nothing. Then watches are resumed from revisions that were acknowledged before the kill: each
must tell every later change, deletions too, once and in order, or say that the revision is compacted.

What the operating system was told to sync survives even a power failure; that cannot be tried here.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from store.errors import Compacted
from store.sqlite import SqliteStore
from tests.crash.figures import Figures
from tests.crash.store_load import value_of

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 60
"""For what is there already to be told."""
_RESUMED = 12
"""Watches for each round."""


class Change(NamedTuple):
    type: str
    key: str
    value: bytes


@dataclass(slots=True)
class Ledger:
    """What has been acknowledged in all rounds so far, and what is under way."""

    live: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)
    under_way: dict[int, list[Change]] = field(default_factory=dict)

    @property
    def newest(self) -> int:
        return max(self.changes, default=0)

    def started(self, writer: int, operations: Sequence[Sequence[str]]) -> None:
        assert writer not in self.under_way
        self.under_way[writer] = [
            Change("PUT", key, value_of(key, text)) if kind == "Put" else Change("DELETE", key, b"") for kind, key, text in operations
        ]

    def done(self, writer: int, revisions: Sequence[int]) -> int:
        for revision, change in zip(revisions, self.under_way.pop(writer), strict=True):
            self.happened(revision, change)
        return len(revisions)

    def happened(self, revision: int, change: Change) -> None:
        assert revision not in self.changes, f"revision {revision} was given twice"
        self.changes[revision] = change
        if change.type == "PUT":
            self.live[change.key] = (revision, change.value)
        else:
            self.live.pop(change.key)

    def settle(self, history: dict[int, Change]) -> tuple[int, int]:
        """Find out what became of the writes under way: how many there were, how many have happened."""
        unknown = {change: revision for revision, change in history.items() if revision not in self.changes}
        waiting, self.under_way = self.under_way, {}
        stored = 0
        for changes in waiting.values():
            revisions = [unknown[change] for change in changes if change in unknown]
            assert len(revisions) in (0, len(changes)), f"a transaction was half stored: {changes}"
            stored += bool(revisions)
            for revision, change in sorted(zip(revisions, changes, strict=True) if revisions else ()):
                self.happened(revision, change)
        return len(waiting), stored

    def forget(self, revision: int) -> None:
        for old in [old for old in self.changes if old < revision]:
            del self.changes[old]


def _lines(text: str) -> Iterator[list[Any]]:
    """Whole ones: the kill may have cut off the last."""
    for line in text.rpartition("\n")[0].splitlines():
        yield json.loads(line)


def _load_until_killed(path: Path, round_number: int, randomness: random.Random) -> str:
    """Mostly after a number of acknowledged writes; at times at any moment of the start. A number of lines, not of seconds: a busy machine
    writes few in one."""
    command = [sys.executable, "-m", "tests.crash.store_load", str(path), str(round_number)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    if randomness.random() < 0.1:
        threading.Timer(randomness.uniform(0.05, 0.5), child.kill).start()
        text = child.stdout.read()
    else:
        wanted, lines = randomness.randint(1, 1500), [child.stdout.readline()]
        while len(lines) < wanted and lines[-1]:
            lines.append(child.stdout.readline())
        child.kill()
        text = "".join(lines) + child.stdout.read()
    child.wait()
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL, f"the load ended by itself: {child.returncode}"
    return text


async def _history(store: SqliteStore, start: int) -> list[tuple[int, Change]]:
    """What a watch from `start` has to tell of the past, in the order it tells it. Raises Compacted."""
    if start > store.revision:
        return []
    events = store.watch("/", start_revision=start)
    try:
        async with asyncio.timeout(_SECONDS):
            told = await anext(events)
    finally:
        await events.aclose()  # type: ignore[attr-defined]
    return [(event.key_value.mod_revision, Change(event.type, event.key_value.key, event.key_value.value)) for event in told]


class StoreRounds:
    """The same file lives through all rounds."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._randomness = random.Random(seed)
        self._ledger = Ledger()
        self.figures = Figures()

    async def round(self, number: int) -> None:
        text = _load_until_killed(self._path, number, self._randomness)
        self._read(text)
        store = SqliteStore(self._path)
        await store.start()
        try:
            await self._check(store)
            await self._check_resumed_watches(store)
            await self._goes_on(store, number)
        finally:
            await store.close()
        self.figures.kills += 1

    def _read(self, text: str) -> None:
        for kind, writer, found in _lines(text):
            if kind == "start":
                self._ledger.started(writer, found)
            elif kind == "done":
                self.figures.acknowledged += self._ledger.done(writer, found)
            else:
                assert found >= self._ledger.newest

    async def _check(self, store: SqliteStore) -> None:
        ledger, oldest = self._ledger, max(store.compact_revision, 1)
        history = await _history(store, oldest)
        under_way, stored = ledger.settle(dict(history))
        self.figures.unanswered += under_way
        self.figures.unanswered_stored += stored
        ledger.forget(oldest)
        assert history == sorted(ledger.changes.items())
        assert [revision for revision, _ in history] == list(range(oldest, store.revision + 1))
        found = (await store.range("/", "0")).key_values
        assert {one.key: (one.mod_revision, one.value) for one in found} == ledger.live

    async def _check_resumed_watches(self, store: SqliteStore) -> None:
        newest, figures = store.revision, self.figures
        changes = sorted(self._ledger.changes.items())
        for last_seen in {max(newest - 1, 0), *(self._randomness.randint(max(newest - 700, 0), newest) for _ in range(_RESUMED - 1))}:
            figures.watches += 1
            try:
                told = await _history(store, last_seen + 1)
            except Compacted:
                assert last_seen + 1 < store.compact_revision
                figures.expired += 1
                continue
            assert told == [(revision, change) for revision, change in changes if revision > last_seen]
            figures.deletions_told += sum(change.type == "DELETE" for _, change in told)

    async def _goes_on(self, store: SqliteStore, number: int) -> None:
        """The next revision is the next number, and a watch that began before hears of it."""
        key, before = f"/after/{number}", store.revision
        assert await store.create(key, b"") == before + 1
        self._ledger.happened(before + 1, Change("PUT", key, b""))
        assert await store.delete(key) == before + 2
        self._ledger.happened(before + 2, Change("DELETE", key, b""))
