"""The default store: one SQLite file. WAL, synchronous=FULL, one writer with group commit; see README.md for the way of a write.

Conditions are judged on the event loop, against an index of live keys that already counts what is queued; so the order of
revisions is the order of calls. Should a commit fail (disk full), what is queued was judged against a state that never came to be:
the store closes, every waiting write fails with StoreClosed, and a restart reads the truth from the file.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from store import compaction, schema, watch
from store.broadcaster import Broadcaster
from store.errors import Compacted, FutureRevision, StoreClosed, StoreError
from store.etcd import Listener, Subscription
from store.history import KeyState, event_of, judge
from store.types import Delete, Event, KeyValue, Operation, Put, RangeResult
from store.writer import Job, Row, SynchronousWriter, Writer, insert, open_connection

log = logging.getLogger(__name__)

_COLUMNS = "revision, key, create_revision, version, deleted, value"
_STATE = f"""
SELECT {_COLUMNS} FROM log AS entry
WHERE key >= :start AND key < :end AND NOT deleted
  AND revision = (SELECT max(revision) FROM log WHERE key = entry.key AND revision <= :revision)
"""


class _Write:
    """One caller's operations, judged and waiting for their commit."""

    __slots__ = ("events", "future", "rows")

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future
        self.rows: list[Row] = []
        self.events: list[Event] = []


class SqliteStore:
    """Keeps the contract of store.etcd.Etcd in the file at `path`. `synchronous`: commits on the event loop, which waits for the disk;
    for a loop that must not wait for threads."""

    def __init__(self, path: Path, *, synchronous: bool = False) -> None:
        self._path = path
        self._synchronous = synchronous
        self._keys: dict[str, KeyState] = {}
        self._assigned = 0
        self._committed = 0
        self._compacted = 0
        self._queue: list[_Write] = []
        self._committing = False
        self._scheduled = False
        self._failure: Exception | None = StoreClosed("the store is not started")
        self._broadcaster = Broadcaster()
        self._watches: set[watch.WatchBuffer] = set()
        self._idle = asyncio.Event()
        self._newest: _Write | None = None
        self._lock = -1

    @property
    def revision(self) -> int:
        return self._committed

    @property
    def compact_revision(self) -> int:
        return self._compacted

    # ---- opening and closing

    async def start(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._writer = (SynchronousWriter if self._synchronous else Writer)(self._path)
            schema.prepare(self._writer.connection)
            self._load(self._writer.connection)
            self._reader = open_connection(self._path)
        except (sqlite3.DatabaseError, StoreError) as error:
            self._release_lock()
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"{self._path}: {error}") from error
        self._writer.start()
        self._loop = asyncio.get_running_loop()
        self._idle.set()
        self._failure = None

    def _take_lock(self) -> None:
        self._lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release_lock()
            raise StoreError(f"{self._path} is in use by another process") from None

    def _release_lock(self) -> None:
        os.close(self._lock)
        self._lock = -1

    def _load(self, connection: sqlite3.Connection) -> None:
        meta = dict(connection.execute("SELECT name, value FROM meta"))
        newest = connection.execute("SELECT coalesce(max(revision), 0) FROM log").fetchone()[0]
        self._compacted = meta["compact_revision"]
        self._assigned = self._committed = max(newest, meta["newest_revision"])
        rows = connection.execute(
            "SELECT key, create_revision, max(revision), version, deleted FROM log GROUP BY key"
        )  # SQLite takes the other columns from the row that has the maximum
        self._keys = {key: KeyState(created, revision, version) for key, created, revision, version, gone in rows if not gone}

    async def close(self) -> None:
        if self._failure is not None and self._lock < 0:
            return
        if self._failure is None:
            while self._queue or self._committing:
                await self._idle.wait()
            self._failure = StoreClosed("the store is closed")
        for buffer in list(self._watches):
            buffer.close()
        if self._synchronous:
            self._writer.stop()
        else:
            await asyncio.get_running_loop().run_in_executor(None, self._writer.stop)
        self._reader.close()
        if self._lock >= 0:
            self._release_lock()

    # ---- writing

    async def create(self, key: str, value: bytes, *, tag: object = None) -> int:
        return await self._write_one(Put(key, value, 0, tag))

    async def update(self, key: str, value: bytes, mod_revision: int, *, tag: object = None) -> int:
        return await self._write_one(Put(key, value, mod_revision, tag))

    async def delete(self, key: str, mod_revision: int | None = None) -> int:
        return await self._write_one(Delete(key, mod_revision))

    async def _write_one(self, operation: Operation) -> int:
        return (await self.transaction((operation,)))[0]

    async def transaction(self, operations: Sequence[Operation]) -> list[int]:
        if self._failure is not None:
            raise StoreClosed(str(self._failure))
        try:
            write = self._judge(operations)
        except StoreError:
            # What it lost against may not be durable and published yet. Whoever is told must be able to see it, and
            # who tries again must not spin.
            if self._newest is not None:
                await asyncio.wait((self._newest.future,))
            raise
        if not write.rows:
            return []
        self._queue.append(write)
        self._newest = write
        self._idle.clear()
        if not self._committing and not self._scheduled:
            # At the end of this turn of the loop: whatever else is written in it joins the batch.
            self._scheduled = True
            self._loop.call_soon(self._commit)
        await write.future
        return [row[0] for row in write.rows]

    def _judge(self, operations: Sequence[Operation]) -> _Write:
        """Give revisions and count the operations as done; on a failed condition nothing of it is."""
        write = _Write(self._loop.create_future())
        undo: list[tuple[str, KeyState | None]] = []
        keys, revision = self._keys, self._assigned
        try:
            for operation in operations:
                before = keys.get(operation.key)
                after = judge(operation, before, revision + 1)
                revision += 1
                undo.append((operation.key, before))
                event = event_of(operation, before, after, revision)
                if after is None:
                    del keys[operation.key]
                else:
                    keys[operation.key] = after
                changed = event.key_value
                gone = 1 if after is None else 0
                write.rows.append((revision, operation.key, changed.create_revision, changed.version, gone, changed.value))
                write.events.append(event)
        except StoreError:
            for key, state in reversed(undo):
                if state is None:
                    del keys[key]
                else:
                    keys[key] = state
            raise
        self._assigned = revision
        return write

    def _commit(self) -> None:
        self._scheduled = False
        batch, self._queue = self._queue, []
        if not batch or self._failure is not None:
            return
        self._committing = True
        rows = [row for write in batch for row in write.rows]
        self._writer.submit(
            lambda connection: insert(connection, rows),
            lambda error: self._on_loop(lambda: self._finish(batch, error)),
        )

    def _on_loop(self, callback: Callable[[], None]) -> None:
        """From the writer's thread, if it has one."""
        if self._synchronous:
            self._loop.call_soon(callback)
        else:
            self._loop.call_soon_threadsafe(callback)

    def _finish(self, batch: Sequence[_Write], error: Exception | None) -> None:
        """On the loop again: publish, answer, and commit what has queued up meanwhile."""
        self._committing = False
        if error is not None:
            self._fail(error, batch)
            return
        self._committed = batch[-1].rows[-1][0]
        self._broadcaster.publish([event for write in batch for event in write.events])
        for write in batch:
            if not write.future.done():
                write.future.set_result(None)
        if self._queue:
            self._commit()
        else:
            self._idle.set()

    def _fail(self, error: Exception, batch: Sequence[_Write]) -> None:
        log.critical("the store cannot write to %s: %s", self._path, error)
        self._failure = StoreClosed(f"the store cannot write: {error}")
        for write in (*batch, *self._queue):
            if not write.future.done():
                write.future.set_exception(StoreClosed(str(self._failure)))
        self._queue = []
        self._idle.set()

    # ---- reading

    def _check_readable(self, revision: int) -> None:
        if self._failure is not None:
            raise StoreClosed(str(self._failure))
        if revision > self._committed:
            raise FutureRevision(revision, self._committed)
        if 0 < revision < self._compacted:
            raise Compacted(revision, self._compacted)

    async def get(self, key: str, *, revision: int = 0) -> KeyValue | None:
        self._check_readable(revision)
        row = self._reader.execute(
            f"SELECT {_COLUMNS} FROM log WHERE key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1",
            (key, revision or self._committed),
        ).fetchone()
        return None if row is None or row[4] else _key_value(row)

    async def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0, counted: bool = True) -> RangeResult:
        self._check_readable(revision)
        at = revision or self._committed
        parameters = {"start": start, "end": end, "revision": at, "limit": limit + 1 if limit else -1}
        rows = self._reader.execute(f"{_STATE} ORDER BY key LIMIT :limit", parameters).fetchall()
        more = 0 < limit < len(rows)
        if more:
            rows.pop()
        count = len(rows)
        if more and counted:
            count = self._reader.execute(f"SELECT count(*) FROM ({_STATE})", parameters).fetchone()[0]
        return RangeResult([_key_value(row) for row in rows], at, count, more)

    def listen(self, prefix: str, listener: Listener) -> Subscription:
        return self._broadcaster.listen(prefix, listener)

    def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[Sequence[Event]]:
        return watch.follow(self._broadcaster, self._watches, prefix, start_revision, lambda: self._committed, self._read_history)

    async def history(self, prefix: str, *, start_revision: int, end_revision: int) -> Sequence[Event]:
        self._check_readable(end_revision)
        return await self._read_history(prefix, start_revision, end_revision)

    async def _read_history(self, prefix: str, first: int, last: int) -> Sequence[Event]:
        if first < self._compacted:
            raise Compacted(first, self._compacted)
        rows = self._reader.execute(
            f"SELECT {_COLUMNS} FROM log WHERE revision BETWEEN ? AND ? AND substr(key, 1, ?) = ? ORDER BY revision",
            (first, last, len(prefix), prefix),
        )
        return [Event("DELETE" if row[4] else "PUT", _key_value(row), None) for row in rows]

    async def compact(self, revision: int) -> None:
        self._check_readable(revision)
        before = self._compacted
        if revision <= before:
            return
        # From now on, not from when it is done: the reader's connection may see it done before the loop hears of it.
        self._compacted = revision
        try:
            await self._run_job(lambda connection: compaction.remember(connection, revision))
        except StoreError:
            self._compacted = before
            raise
        await self._forget(revision)

    async def _forget(self, revision: int) -> None:
        reached: list[int | None] = [0]

        def some(connection: sqlite3.Connection) -> None:
            reached.append(compaction.forget_some(connection, revision, reached[-1] or 0))

        while reached[-1] is not None:
            if self._failure is not None:
                raise StoreClosed(str(self._failure))
            await self._run_job(some)

    async def _run_job(self, job: Job) -> None:
        """A transaction of its own on the writer's thread, after what is queued there. Raises StoreError."""
        done: asyncio.Future[Exception | None] = self._loop.create_future()

        def finish(error: Exception | None) -> None:
            if not done.done():
                done.set_result(error)

        self._writer.submit(job, lambda error: self._on_loop(lambda: finish(error)))
        if (error := await done) is not None:
            raise StoreError(f"compaction failed: {error}") from error


def _key_value(row: tuple[int, str, int, int, int, bytes]) -> KeyValue:
    revision, key, create_revision, version, _, value = row
    return KeyValue(key, value, create_revision, revision, version)
