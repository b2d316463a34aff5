"""Moving what a store holds to another one: every live key with its value, nothing lost, nothing made up, and told when it is not so.

What is copied to a file keeps its revisions. etcd gives revisions of its own; there they are moved on until they are past the source's, so
that no client is ever given a resourceVersion that is older than one it has.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from store import schema
from store.errors import KeyExists, KeyNotFound, StoreError
from store.etcd import Etcd
from store.types import KeyValue
from store.writer import open_connection

PAGE = 500
AT_A_TIME = 64
MOST_REVISIONS = 5_000_000
"""How far a target's revisions are moved on; each is a write."""
Progress = Callable[[str, int, int], None]
"""(what is done, how much of it, of how much)"""


class Transferred(NamedTuple):
    keys: int
    revision: int
    """The target's, at least as high as the source's."""


class NotTheSame(StoreError):
    """The target does not hold what the source holds."""


class Occupied(StoreError):
    """The target holds something else."""


async def _pages(store: Etcd, prefix: str, revision: int = 0) -> list[KeyValue]:
    """All keys under `prefix` at one revision, read in pieces so that other work goes on."""
    found: list[KeyValue] = []
    start, end = prefix, prefix[:-1] + "0"
    while True:
        page = await store.range(start, end, revision=revision, limit=PAGE, counted=False)
        revision = page.revision
        found += page.key_values
        if not page.more:
            return found
        start = page.key_values[-1].key + "\0"


async def to_store(source: Etcd, target: Etcd, prefix: str, identity: str, progress: Progress) -> Transferred:
    """Make `target` hold under `prefix` what `source` holds. A mark with `identity` says that this is under way, so that a copy that was
    broken off goes on; `finish` takes it away. Raises Occupied, NotTheSame, StoreError."""
    wanted = await _pages(source, prefix, source.revision)
    present = {stored.key: stored for stored in await _pages(target, prefix)}
    await _mark(target, prefix, identity, present)
    changes = [stored for stored in wanted if stored.key not in present or present[stored.key].value != stored.value]
    await _in_parallel([partial(_put, target, stored, present.get(stored.key)) for stored in changes], "copied", progress)
    gone = present.keys() - {stored.key for stored in wanted} - {_mark_of(prefix)}
    await _in_parallel([partial(_delete, target, key) for key in sorted(gone)], "removed", progress)
    await _move_on(target, prefix, source.revision, progress)
    await _verify(wanted, target, prefix)
    return Transferred(len(wanted), target.revision)


async def finish(target: Etcd, prefix: str) -> None:
    """Once everybody knows that the keys are there now."""
    await _delete(target, _mark_of(prefix))


def _mark_of(prefix: str) -> str:
    return f"{prefix}kctl.dev/migrations/from"


async def _mark(target: Etcd, prefix: str, identity: str, present: dict[str, KeyValue]) -> None:
    mark = present.get(_mark_of(prefix))
    if mark is None:
        if present:
            raise Occupied(f"it holds {len(present)} keys under {prefix} already, and no migration of this cluster is under way")
        await target.create(_mark_of(prefix), identity.encode())
    elif mark.value != identity.encode():
        raise Occupied(f"a migration from {mark.value.decode(errors='replace')} to it is under way")


async def _verify(wanted: Sequence[KeyValue], target: Etcd, prefix: str) -> None:
    """Read all of the target once more. Raises NotTheSame naming a key."""
    found = {stored.key: stored.value for stored in await _pages(target, prefix)}
    found.pop(_mark_of(prefix), None)
    for stored in wanted:
        if found.pop(stored.key, None) != stored.value:
            raise NotTheSame(f"{stored.key} is not what it was: start the migration again")
    if found:
        raise NotTheSame(f"{min(found)} was not there before: somebody else writes to the target")


async def _put(target: Etcd, stored: KeyValue, present: KeyValue | None) -> None:
    if present is None:
        try:
            await target.create(stored.key, stored.value)
        except KeyExists:
            raise NotTheSame(f"{stored.key} has appeared: somebody else writes to the target") from None
    else:
        await target.update(stored.key, stored.value, present.mod_revision)


async def _delete(target: Etcd, key: str) -> None:
    try:
        await target.delete(key)
    except KeyNotFound:
        return


async def _move_on(target: Etcd, prefix: str, revision: int, progress: Progress) -> None:
    """By writes to keys that are gone afterwards, until the target's revision is past `revision`."""
    total = revision + 1 - target.revision
    if total > MOST_REVISIONS:
        raise StoreError(f"the source is at revision {revision}, {total} past the target: at most {MOST_REVISIONS} are made up for")

    async def two(index: int) -> None:
        key = f"{prefix}kctl.dev/migrations/{index}"
        await target.delete(key, await target.create(key, b"{}"))

    while (missing := revision + 1 - target.revision) > 0:
        await asyncio.gather(*map(two, range(min(AT_A_TIME, (missing + 1) // 2))))
        progress("revisions", max(total - missing, 0), total)


async def _in_parallel(work: Sequence[Callable[[], Awaitable[None]]], what: str, progress: Progress) -> None:
    for start in range(0, len(work), AT_A_TIME):
        await asyncio.gather(*(one() for one in work[start : start + AT_A_TIME]))
        progress(what, min(start + AT_A_TIME, len(work)), len(work))


async def to_file(source: Etcd, path: Path, prefix: str, progress: Progress) -> Transferred:
    """A new database at `path`, which must not exist, with the source's keys at their revisions. It is made under another name and
    moved into place when it is whole. Raises NotTheSame, StoreError."""
    revision = source.revision
    wanted = await _pages(source, prefix, revision)
    _write(path, wanted, revision)
    progress("copied", len(wanted), len(wanted))
    return Transferred(len(wanted), revision)


def _write(path: Path, wanted: Sequence[KeyValue], revision: int) -> None:
    if path.exists():
        raise StoreError(f"{path} is there already")
    new = path.with_name(path.name + ".new")
    for left in (new, new.with_name(new.name + "-wal"), new.with_name(new.name + "-shm")):
        left.unlink(missing_ok=True)
    try:
        new.touch(mode=0o600)
        schema.create(open_connection, new)
        connection = open_connection(new)
        try:
            _fill(connection, wanted, revision)
            found = dict(connection.execute("SELECT key, value FROM log"))
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{new} cannot be written: {error}") from error
    if found != {stored.key: stored.value for stored in wanted}:
        raise NotTheSame("the file does not hold what the source holds")
    new.rename(path)


def _fill(connection: sqlite3.Connection, stored: Iterable[KeyValue], revision: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO log (revision, key, create_revision, version, deleted, value) VALUES (?, ?, ?, ?, 0, ?)",
        ((one.mod_revision, one.key, one.create_revision, one.version, one.value) for one in stored),
    )
    connection.execute("UPDATE meta SET value = ?", (revision,))  # nothing before is known, nothing after has been
    connection.execute("COMMIT")
