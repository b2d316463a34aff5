"""The default store: one SQLite file. WAL, synchronous=FULL, one writer with group commit; see README.md for the way of a write.

Conditions are judged on the event loop, against an index of live keys that already counts what is queued; so the order of
revisions is the order of calls. Should a commit fail (disk full), what is queued was judged against a state that never came to be:
every waiting write fails with WriteFailed, the index goes back to what is committed, and the next write finds out whether the disk
takes it. After such a failure the file is asked first whether it holds what we believe.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from store import compaction, schema, watch
from store.broadcaster import Broadcaster
from store.errors import Compacted, FutureRevision, StoreClosed, StoreError, StoreLost, WriteFailed
from store.etcd import Listener, Subscription
from store.files import StoreFiles
from store.history import KeyState, event_of, judge
from store.reader import Connect, Reader
from store.recovery import FoundMore, look_for_more
from store.types import Clock, Delete, Event, KeyValue, Operation, Put, RangeResult, Timer
from store.writer import Job, Row, SynchronousWriter, Writer, insert, open_connection

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the files are looked for, and a disk that refused is tried again."""


class _Write:
    """One caller's operations, judged and waiting for their commit."""

    __slots__ = ("events", "followers", "future", "rows", "undo")

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future
        self.rows: list[Row] = []
        self.events: list[Event] = []
        self.undo: list[tuple[str, KeyState | None]] = []
        self.followers: list[asyncio.Future[None]] = []
        """Who lost against this write and is told so when it is done."""

    def settle(self, error: StoreError | None) -> None:
        for future in (self.future, *self.followers):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


class SqliteStore:
    """Keeps the contract of store.etcd.Etcd in the file at `path`. `connect` opens a connection (tests: one that fails).
    `clock` says when to look at the files; without one they are looked at only when something is written, which is all that simulated
    time has a use for. `synchronous`: commits on the event loop, which waits for the disk; for a loop that must not wait for threads."""

    def __init__(self, path: Path, clock: Clock | None = None, *, connect: Connect = open_connection, synchronous: bool = False) -> None:
        self._path = path
        self._clock = clock
        self._connect = connect
        self._synchronous = synchronous
        self._files = StoreFiles(path)
        self._keys: dict[str, KeyState] = {}
        self._assigned = 0
        self._committed = 0
        self._compacted = 0
        self._queue: list[_Write] = []
        self._committing = False
        self._scheduled = False
        self._closed: StoreClosed | None = StoreClosed("the store is not started")
        self._failure = ""
        self._broadcaster = Broadcaster()
        self._watches: set[watch.WatchBuffer] = set()
        self._idle = asyncio.Event()
        self._lost = asyncio.Event()
        self._newest: _Write | None = None
        self._timer: Timer | None = None

    @property
    def revision(self) -> int:
        return self._committed

    @property
    def compact_revision(self) -> int:
        return self._compacted

    shared = False

    async def current(self) -> None:
        return

    async def written(self) -> bool:
        """Returns when nothing waits to be written; whether something did."""
        waited = False
        while self._queue or self._committing:
            waited = True
            await self._idle.wait()
        return waited

    @property
    def failure(self) -> str:
        return str(self._closed) if self._closed is not None else self._failure

    # ---- opening and closing

    async def start(self) -> None:
        self._files.take()
        try:
            self._open()
        except (sqlite3.DatabaseError, OSError, StoreError) as error:
            self._files.release()
            raise self._explained(error) from error
        self._files.remember()
        self._writer.start()
        self._loop = asyncio.get_running_loop()
        self._look_later()
        self._idle.set()
        self._closed = None

    def _open(self) -> None:
        self._files.find_or_make(lambda path: schema.create(self._connect, path))
        self._writer = (SynchronousWriter if self._synchronous else Writer)(self._files, self._connect)
        try:
            schema.prepare(self._writer.connection)
            self._load(self._writer.connection)
            self._reader = Reader(self._path, self._connect)
        except BaseException:
            self._writer.stop()
            raise

    def _explained(self, error: Exception) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            return self._files.damaged(f"is damaged ({error})")
        why = error.strerror if isinstance(error, OSError) else error
        return StoreError(f"{self._path} cannot be opened: {why}")

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
        if not self._files.taken:
            return
        if self._closed is None:
            await self.written()
            self._shut(StoreClosed("the store is closed"))
        if self._synchronous:
            self._writer.stop()
        else:
            await asyncio.get_running_loop().run_in_executor(None, self._writer.stop)
        self._reader.close()
        self._files.release()

    def _shut(self, why: StoreClosed) -> None:
        self._closed = why
        if self._timer is not None:
            self._timer.cancel()
        for buffer in list(self._watches):
            buffer.close()

    async def lost(self) -> StoreError:
        await self._lost.wait()
        assert self._closed is not None
        return self._closed

    def _look_later(self) -> None:
        if self._clock is not None:
            self._timer = self._clock.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """From time to time: are the files still there, does a disk that refused take a write again?"""
        self._look_later()
        try:
            self._files.check()
        except StoreLost as error:
            self._refuse(self._queue, error)
            return
        if self._failure and not self._committing:
            self._submit([])

    # ---- writing

    def create(self, key: str, value: bytes, *, tag: object = None) -> Coroutine[Any, Any, int]:
        return self._write_one(Put(key, value, 0, tag))

    def update(self, key: str, value: bytes, mod_revision: int, *, tag: object = None) -> Coroutine[Any, Any, int]:
        return self._write_one(Put(key, value, mod_revision, tag))

    def delete(self, key: str, mod_revision: int | None = None) -> Coroutine[Any, Any, int]:
        return self._write_one(Delete(key, mod_revision))

    async def _write_one(self, operation: Operation) -> int:
        return (await self._write((operation,))).rows[0][0]

    async def transaction(self, operations: Sequence[Operation]) -> list[int]:
        return [row[0] for row in (await self._write(operations)).rows]

    async def _write(self, operations: Sequence[Operation]) -> _Write:
        """Durable and published when it returns."""
        if self._closed is not None:
            self._check_open()
        try:
            write = self._judge(operations)
        except StoreError:
            # What it lost against may not be durable and published yet. Whoever is told must be able to see it; where that
            # write fails, nothing is known of this one either.
            if self._newest is not None:
                follower: asyncio.Future[None] = self._loop.create_future()
                self._newest.followers.append(follower)
                await follower
            raise
        if not write.rows:
            return write
        self._queue.append(write)
        self._newest = write
        self._idle.clear()
        if not self._committing and not self._scheduled:
            # At the end of this turn of the loop: whatever else is written in it joins the batch.
            self._scheduled = True
            self._loop.call_soon(self._commit)
        await write.future
        return write

    def _judge(self, operations: Sequence[Operation]) -> _Write:
        """Give revisions and count the operations as done; on a failed condition nothing of it is."""
        write = _Write(self._loop.create_future())
        keys, revision = self._keys, self._assigned
        try:
            for operation in operations:
                before = keys.get(operation.key)
                after = judge(operation, before, revision + 1)
                revision += 1
                write.undo.append((operation.key, before))
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
            self._undo(write)
            raise
        self._assigned = revision
        return write

    def _undo(self, write: _Write) -> None:
        for key, state in reversed(write.undo):
            if state is None:
                del self._keys[key]
            else:
                self._keys[key] = state

    def _commit(self) -> None:
        self._scheduled = False
        batch, self._queue = self._queue, []
        if batch and not self._committing:
            self._submit(batch)
        else:
            self._queue = batch

    def _submit(self, batch: Sequence[_Write]) -> None:
        """Hand a batch to the writer; an empty one tries whether the disk takes writes again."""
        self._committing = True
        self._idle.clear()
        rows = [row for write in batch for row in write.rows]
        believed = self._committed if self._failure else None

        def job(connection: sqlite3.Connection) -> None:
            if believed is not None:
                look_for_more(connection, believed)
            insert(connection, rows)

        self._writer.submit(job, lambda error: self._on_loop(lambda: self._finish(batch, error)))

    def _on_loop(self, callback: Callable[[], None]) -> None:
        """From the writer's thread, if it has one."""
        if self._synchronous:
            self._loop.call_soon(callback)
        else:
            self._loop.call_soon_threadsafe(callback)

    def _finish(self, batch: Sequence[_Write], error: Exception | None) -> None:
        """On the loop again: publish, answer, and commit what has queued up meanwhile."""
        self._committing = False
        if self._closed is not None or error is not None:
            self._refuse([*batch, *self._queue], self._closed or error)
            return
        if self._failure:
            self._failure = ""
            log.warning("the store can write to %s again", self._path)
        if batch:
            self._committed = batch[-1].rows[-1][0]
            self._broadcaster.publish([event for write in batch for event in write.events])
            for write in batch:
                write.settle(None)
        if self._queue:
            self._commit()
        else:
            self._newest = None
            self._idle.set()

    def _refuse(self, writes: Sequence[_Write], error: Exception | None) -> None:
        """None of `writes`, which are all there are, has come to be: forget them, tell their writers."""
        for write in reversed(writes):
            self._undo(write)
        self._queue, self._newest, self._assigned = [], None, self._committed
        if isinstance(error, FoundMore):
            self._take_over(error)
        if isinstance(error, StoreClosed):
            if self._closed is None:
                self._shut(error)
                log.critical("%s", error)
            self._lost.set()
        elif self._failure != (failure := f"write failed: {error}"):
            self._failure = failure
            log.critical("the store cannot write to %s: %s", self._path, error)
        told = self._closed or WriteFailed(self._failure)
        for write in writes:
            write.settle(told)
        self._idle.set()

    def _take_over(self, found: FoundMore) -> None:
        """A commit that was given up for lost has happened."""
        for event, state in found.changes:
            key = event.key_value.key
            if state is None:
                self._keys.pop(key, None)
            else:
                self._keys[key] = state
        self._assigned = self._committed = found.changes[-1][0].key_value.mod_revision
        self._broadcaster.publish([event for event, _ in found.changes])

    # ---- reading

    def _check_open(self) -> None:
        if self._closed is not None:
            raise type(self._closed)(str(self._closed))

    def _check_readable(self, revision: int) -> None:
        self._check_open()
        if revision > self._committed:
            raise FutureRevision(revision, self._committed)
        if 0 < revision < self._compacted:
            raise Compacted(revision, self._compacted)

    async def get(self, key: str, *, revision: int = 0) -> KeyValue | None:
        self._check_readable(revision)
        return self._reader.get(key, revision or self._committed)

    async def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0, counted: bool = True) -> RangeResult:
        self._check_readable(revision)
        return self._reader.range(start, end, revision or self._committed, limit, counted)

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
        return self._reader.history(prefix, first, last)

    # ---- forgetting

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
        await self._give_back()

    async def _forget(self, revision: int) -> None:
        reached: list[int | None] = [0]

        def some(connection: sqlite3.Connection) -> None:
            reached.append(compaction.forget_some(connection, revision, reached[-1] or 0))

        while reached[-1] is not None:
            self._check_open()
            await self._run_job(some)

    async def _give_back(self) -> None:
        more = [True]

        def some(connection: sqlite3.Connection) -> None:
            more.append(compaction.give_back_some(connection))

        while more[-1]:
            self._check_open()
            await self._run_job(some, in_transaction=False)
        if len(more) > 2:
            await self._run_job(compaction.shorten_file, in_transaction=False)

    async def _run_job(self, job: Job, *, in_transaction: bool = True) -> None:
        """On the writer's thread, after what is queued there. Raises StoreError."""
        done: asyncio.Future[Exception | None] = self._loop.create_future()

        def finish(error: Exception | None) -> None:
            if not done.done():
                done.set_result(error)

        self._writer.submit(job, lambda error: self._on_loop(lambda: finish(error)), in_transaction=in_transaction)
        if (error := await done) is not None:
            raise WriteFailed(f"compaction failed: {error}") from error
