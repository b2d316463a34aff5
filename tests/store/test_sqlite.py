"""What only the SQLite store does: files, locks, restarts, schema versions, and a disk that fails."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store import schema
from store.errors import StoreClosed, StoreError
from store.sqlite import SqliteStore
from store.types import Delete, Put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(path)
    await made.start()
    yield made
    await made.close()


async def _reopened(store: SqliteStore, path: Path) -> SqliteStore:
    await store.close()
    again = SqliteStore(path)
    await again.start()
    return again


async def test_a_restart_finds_everything(store: SqliteStore, path: Path) -> None:
    await store.create("/a", b"1")
    await store.update("/a", b"2", 1)
    await store.create("/b", b"")
    await store.delete("/b")
    again = await _reopened(store, path)
    assert again.revision == 4
    assert await again.get("/a") == ("/a", b"2", 1, 2, 2)
    assert (await again.get("/a", revision=1)) == ("/a", b"1", 1, 1, 1)
    events = again.watch("/", start_revision=1)
    assert [event.key_value.mod_revision for event in await anext(events)] == [1, 2, 3, 4]
    assert await again.create("/b", b"") == 5
    await again.close()


async def test_revisions_go_on_where_the_newest_row_is_forgotten(store: SqliteStore, path: Path) -> None:
    await store.create("/a", b"")
    await store.delete("/a")
    await store.compact(2)
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM log")  # as compactions of older versions did with a deletion
    again = await _reopened(store, path)
    assert (again.revision, again.compact_revision) == (2, 2)
    assert await again.create("/c", b"") == 3
    await again.close()


async def test_compaction_leaves_only_what_can_be_read(store: SqliteStore, path: Path) -> None:
    for start in range(0, 2000, 100):
        await store.transaction([Put(f"/{number % 300}", b"x") for number in range(start, start + 100)])
    await store.transaction([Delete(f"/{number}") for number in range(50)])
    await store.compact(2050)
    rows = store._writer.connection.execute("SELECT count(*) FROM log").fetchone()[0]
    assert rows == 250 + 1  # and the deletion at the very revision
    await store.create("/1", b"")
    await store.compact(2051)
    assert store._writer.connection.execute("SELECT count(*) FROM log").fetchone()[0] == 251


async def test_a_compaction_cut_short_is_completed_by_the_next(store: SqliteStore, path: Path) -> None:
    for number in range(2000):
        await store.transaction([Put("/a", str(number).encode())])
    compacting = asyncio.ensure_future(store.compact(1990))
    await asyncio.sleep(0)
    again = await _reopened(store, path)
    assert isinstance((await asyncio.gather(compacting, return_exceptions=True))[0], StoreClosed)
    assert again.compact_revision == 1990
    assert await again.get("/a", revision=1990) == ("/a", b"1989", 1, 1990, 1990)
    await again.compact(1995)
    assert again._writer.connection.execute("SELECT count(*) FROM log").fetchone()[0] == 6
    await again.close()


async def test_what_is_queued_is_written_before_it_closes(store: SqliteStore, path: Path) -> None:
    writes = [asyncio.ensure_future(store.create(f"/{number}", b"")) for number in range(50)]
    await asyncio.sleep(0)
    again = await _reopened(store, path)
    assert sorted([await write for write in writes]) == list(range(1, 51))
    assert (await again.range("/", "0")).count == 50
    await again.close()


async def test_a_store_in_use_is_refused(store: SqliteStore, path: Path) -> None:
    second = SqliteStore(path)
    with pytest.raises(StoreError, match="in use"):
        await second.start()
    await second.close()
    assert await store.create("/a", b"") == 1


@pytest.fixture
def rubbish(path: Path) -> Path:
    path.write_bytes(b"this is not a database, and long enough to be read as one" * 20)
    return path


async def test_a_failed_start_leaves_the_file_to_others(rubbish: Path) -> None:
    with pytest.raises(StoreError, match="not a database"):
        await SqliteStore(rubbish).start()
    os.unlink(rubbish)
    store = SqliteStore(rubbish)
    await store.start()
    assert await store.create("/a", b"") == 1
    await store.close()


async def test_a_database_of_a_newer_version_is_refused(store: SqliteStore, path: Path) -> None:
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StoreError, match="schema version"):
        await SqliteStore(path).start()


async def test_a_database_of_somebody_else_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE dogs (name TEXT)")
    with pytest.raises(StoreError, match="not a kctl store"):
        await SqliteStore(path).start()


async def test_an_old_database_is_migrated(path: Path) -> None:
    """Version 1 did not remember the newest revision."""
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE log (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, create_revision INTEGER NOT NULL,
              version INTEGER NOT NULL, deleted INTEGER NOT NULL, value BLOB NOT NULL);
            CREATE INDEX log_by_key ON log (key, revision);
            CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
            INSERT INTO meta VALUES ('compact_revision', 0);
            INSERT INTO log VALUES (1, '/a', 1, 1, 0, x'31'), (2, '/a', 1, 2, 0, x'32');
            PRAGMA user_version = 1;
            """
        )
    store = SqliteStore(path)
    await store.start()
    assert await store.get("/a") == ("/a", b"2", 1, 2, 2)
    assert await store.create("/b", b"") == 3
    await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION


async def test_the_promised_durability_is_switched_on(store: SqliteStore) -> None:
    connection = store._writer.connection
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


async def test_writes_go_on_while_much_history_is_forgotten(store: SqliteStore) -> None:
    for start in range(0, 4000, 200):
        await store.transaction([Put(f"/{number % 50}", b"x" * 100) for number in range(start, start + 200)])
    compacting = asyncio.ensure_future(store.compact(3990))
    assert await store.create("/during", b"") == 4001
    await compacting
    assert (await store.range("/", "0")).count == 51
    assert len(await anext(store.watch("/", start_revision=3990))) == 12


async def test_a_transaction_larger_than_one_statement(store: SqliteStore, path: Path) -> None:
    count = 1337
    assert await store.transaction([Put(f"/{number:05}", b"v", 0) for number in range(count)]) == list(range(1, count + 1))
    await store.transaction([Delete(f"/{number:05}") for number in range(count)])
    again = await _reopened(store, path)
    assert (again.revision, (await again.range("/", "0")).count) == (2 * count, 0)
    await again.close()


async def _roll_over(store: SqliteStore, times: int = 6) -> None:
    for _ in range(times):
        await store.transaction([Put(f"/{number}", b"x" * 3000) for number in range(1000)])
    await store.transaction([Delete(f"/{number}") for number in range(1000)])
    await store.create("/kept", b"1")


@pytest.mark.parametrize("made", ["now", "before"])
async def test_compaction_gives_disk_space_back_while_writes_go_on(path: Path, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if made == "before":
        monkeypatch.setattr(schema, "_let_it_shrink", lambda connection: None)
        old = SqliteStore(path)  # as older versions made it
        await old.start()
        await old.create("/old", b"")
        await old.close()
        monkeypatch.undo()
    store = SqliteStore(path)
    await store.start()
    await _roll_over(store)
    grown = os.stat(path).st_size
    compacting = asyncio.ensure_future(store.compact(store.revision))
    during = 0
    while not compacting.done():
        during += 1
        await store.create(f"/during/{during}", b"")
    await compacting
    assert 5 < during < 1000, "it takes several steps between which writes get in, but not one for each page"
    assert os.stat(path).st_size < grown / 3
    assert (await store.range("/", "0")).count == during + 1 + (made == "before")
    again = await _reopened(store, path)
    assert (await again.range("/during/", "/during0")).count == during
    await again.close()
