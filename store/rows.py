"""The log of a store's file as rows: read while others write to it, and written into a new file with the revisions it had.

For copies of the past (recordings); a store that is used goes through `store.sqlite`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from store import schema
from store.errors import StoreError
from store.writer import open_connection

_BUSY_SECONDS = 10.0
_AT_A_TIME = 500


class Row(NamedTuple):
    """What a key became at a revision, or that it was deleted."""

    revision: int
    key: str
    create_revision: int
    version: int
    deleted: bool
    value: bytes


class Log:
    """The file's log, read only, one consistent state at a time. Raises StoreError."""

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
        self._path = path

    def close(self) -> None:
        self._connection.close()

    def compact_revision(self) -> int:
        """Of what happened before it only the last state of each key is known."""
        return int(self._rows("SELECT value FROM meta WHERE name = 'compact_revision'")[0][0])

    def after(self, revision: int) -> Iterator[Row]:
        """Everything past `revision`, by revision, in pieces."""
        while True:
            rows = self._rows(
                "SELECT revision, key, create_revision, version, deleted, value FROM log WHERE revision > ? ORDER BY revision LIMIT ?",
                revision,
                _AT_A_TIME,
            )
            for row in rows:
                yield Row(row[0], row[1], row[2], row[3], bool(row[4]), row[5])
            if len(rows) < _AT_A_TIME:
                return
            revision = rows[-1][0]

    def _rows(self, statement: str, *parameters: int) -> list[tuple[int, str, int, int, int, bytes]]:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from error


def write_log(path: Path, rows: Iterable[Row], compact_revision: int) -> int:
    """A new store's file with these rows, by revision; the newest one of them. `path` is an empty file or none. Raises StoreError."""
    newest = compact_revision
    try:
        schema.create(open_connection, path)
        connection = open_connection(path)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for row in rows:
                connection.execute(
                    "INSERT INTO log (revision, key, create_revision, version, deleted, value) VALUES (?, ?, ?, ?, ?, ?)",
                    (row.revision, row.key, row.create_revision, row.version, int(row.deleted), row.value),
                )
                newest = max(newest, row.revision)
            connection.execute("UPDATE meta SET value = ? WHERE name = 'newest_revision'", (newest,))
            connection.execute("UPDATE meta SET value = ? WHERE name = 'compact_revision'", (compact_revision,))
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
    return newest
