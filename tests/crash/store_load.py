"""What is killed: `python -m tests.crash.store_load FILE ROUND` writes to a store until it dies, with many writers and a compaction.

A writer says what it is about to write ("start"), writes it, and says at which revisions that was acknowledged ("done"), each as a
line of JSON. So whoever reads knows all that was acknowledged, and the one write of each writer that may or may not have happened.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from store.sqlite import SqliteStore
from store.types import Delete, Operation, Put

WRITERS = 20
GROUP = 3
"""Keys that are written and deleted in one transaction."""
_KEPT_GROUPS = 4
_KEPT_REVISIONS = 300


def value_of(key: str, text: str) -> bytes:
    return text.encode() + b"." * (2000 if key.startswith("/load/counter/") else 100)


class Writer:
    """Its keys are its own: a counter that is created, updated and deleted, and groups of keys that come and go together."""

    def __init__(self, store: SqliteStore, number: int, round_number: int) -> None:
        self._store = store
        self._number = number
        self._round = round_number

    async def _write(self, operations: Sequence[Operation], texts: Sequence[str]) -> list[int]:
        told = [[type(one).__name__, one.key, text] for one, text in zip(operations, texts, strict=True)]
        print(json.dumps(["start", self._number, told]), flush=True)
        revisions = await self._store.transaction(operations)
        print(json.dumps(["done", self._number, revisions]), flush=True)
        return revisions

    async def _put(self, keys: Sequence[str], text: str, expected: int) -> list[int]:
        return await self._write([Put(key, value_of(key, text), expected) for key in keys], [text] * len(keys))

    async def _delete(self, keys: Sequence[str], expected: int | None = None) -> None:
        await self._write([Delete(key, expected) for key in keys], [""] * len(keys))

    async def run(self) -> None:
        counter, prefix = f"/load/counter/{self._number:02}", f"/load/group/{self._number:02}/"
        present = await self._store.get(counter)
        revision = present.mod_revision if present is not None else 0
        found = (await self._store.range(prefix, prefix[:-1] + "0")).key_values
        groups = deque(sorted({one.key.rpartition("/")[0] for one in found}))
        for step in itertools.count():
            text = f"{self._round}.{step}"
            if revision and step % 5 == 4:
                await self._delete([counter], revision)
                revision = 0
            else:
                (revision,) = await self._put([counter], text, revision)
            groups.append(f"{prefix}{self._round:04}-{step:06}")
            await self._put([f"{groups[-1]}/{part}" for part in range(GROUP)], text, 0)
            while len(groups) > _KEPT_GROUPS:
                group = groups.popleft()
                await self._delete([f"{group}/{part}" for part in range(GROUP)])


async def _compactions(store: SqliteStore) -> None:
    while True:
        await asyncio.sleep(0.03)
        if store.revision - store.compact_revision > 2 * _KEPT_REVISIONS:
            await store.compact(store.revision - _KEPT_REVISIONS)


async def _main(path: Path, round_number: int) -> None:
    store = SqliteStore(path)
    await store.start()
    print(json.dumps(["started", 0, store.revision]), flush=True)
    await asyncio.gather(*(Writer(store, number, round_number).run() for number in range(WRITERS)), _compactions(store))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
