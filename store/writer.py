"""The only write connection and its thread: one transaction for each batch that has queued up (group commit).

Python's sqlite3 gives up the interpreter lock at every statement and must win it back from a busy event loop, so a batch is
few statements: BEGIN, inserts of many rows each, COMMIT. While one batch is made durable the next one queues up.

After an error of the disk nobody knows what the connection believes (after EIO on COMMIT not even whether it happened), so it is
closed, and the next job begins with a new one. Whether the file then holds what its owner thinks is the job's to look at.

On an event loop whose time is simulated there must be no thread, or time would pass while it works: `SynchronousWriter`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

from store import schema
from store.files import StoreFiles
from store.reader import Connect

Row = tuple[int, str, int, int, int, bytes]
"""revision, key, create_revision, version, deleted, value"""

_LARGEST_INSERT = 256
Job = Callable[[sqlite3.Connection], None]
Done = Callable[[Exception | None], None]


def open_connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    connection.executescript(schema.PRAGMAS)
    return connection


class Writer:
    """`submit` hands a job to the thread; `done(error)` is called on the thread when it is durable or has failed. After every commit
    `files` say whether what it went to is still there; if not, that is the job's error."""

    def __init__(self, files: StoreFiles, connect: Connect) -> None:
        self._files = files
        self._connect = connect
        self._jobs: SimpleQueue[tuple[Job, Done, bool] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = connect(files.path)

    @property
    def connection(self) -> sqlite3.Connection:
        """Opened again where an error closed it. On the thread; before it starts and after it ended, anywhere."""
        if self._connection is None:
            self._connection = self._connect(self._files.path)
            self._files.expect_wal(True)
        return self._connection

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job, done: Done, *, in_transaction: bool = True) -> None:
        self._jobs.put((job, done, in_transaction))

    def stop(self) -> None:
        """After the jobs already submitted. Blocks until the thread has ended."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        self._drop_connection()

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, done, in_transaction = entry
            done(self.outcome(job, in_transaction))

    def outcome(self, job: Job, in_transaction: bool) -> Exception | None:
        """What it failed with."""
        try:
            if in_transaction:
                self._execute(job)
            else:
                job(self.connection)
        except Exception as error:
            self._drop_connection()
            return error
        return None

    def _execute(self, job: Job) -> None:
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        job(connection)
        connection.execute("COMMIT")
        self._files.check()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._files.expect_wal(False)
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """All rows, in statements of 256, 128, ... 1 rows, so that few distinct statements serve every batch size."""
    position, size = 0, _LARGEST_INSERT
    while position < len(rows):
        while size > len(rows) - position:
            size //= 2
        chunk = rows[position : position + size]
        connection.execute(_insert_statement(size), [value for row in chunk for value in row])
        position += size


_STATEMENTS: dict[int, str] = {}


def _insert_statement(size: int) -> str:
    statement = _STATEMENTS.get(size)
    if statement is None:
        statement = "INSERT INTO log VALUES " + ", ".join(["(?, ?, ?, ?, ?, ?)"] * size)
        _STATEMENTS[size] = statement
    return statement


class SynchronousWriter(Writer):
    """Does each job in the thread that submits it, before `submit` returns."""

    def start(self) -> None:
        return

    def submit(self, job: Job, done: Done, *, in_transaction: bool = True) -> None:
        done(self.outcome(job, in_transaction))
