"""Reading the log: the state at a revision, and what happened between two. A connection of its own, on the event loop's thread.

A read that fails (EIO) is tried once more on a new connection; one that fails again is the caller's error, and the next one
begins anew. So a disk that comes back needs no restart.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from store.errors import ReadFailed
from store.types import Event, KeyValue, RangeResult

Connect = Callable[[Path], sqlite3.Connection]
Parameters = Sequence[Any] | Mapping[str, Any]

COLUMNS = "revision, key, create_revision, version, deleted, value"
_AT = f"SELECT {COLUMNS} FROM log WHERE key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1"
_STATE = f"""
SELECT {COLUMNS} FROM log AS entry
WHERE key >= :start AND key < :end AND NOT deleted
  AND revision = (SELECT max(revision) FROM log WHERE key = entry.key AND revision <= :revision)
"""
_BETWEEN = f"SELECT {COLUMNS} FROM log WHERE revision BETWEEN ? AND ? AND substr(key, 1, ?) = ? ORDER BY revision"


class Reader:
    def __init__(self, path: Path, connect: Connect) -> None:
        self._path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = connect(path)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _rows(self, statement: str, parameters: Parameters) -> list[Any]:
        try:
            return self._try(statement, parameters)
        except sqlite3.Error:
            self.close()
        try:
            return self._try(statement, parameters)
        except sqlite3.Error as error:
            self.close()
            raise ReadFailed(str(error)) from error

    def _try(self, statement: str, parameters: Parameters) -> list[Any]:
        if self._connection is None:
            self._connection = self._connect(self._path)
        return self._connection.execute(statement, parameters).fetchall()

    def get(self, key: str, revision: int) -> KeyValue | None:
        rows = self._rows(_AT, (key, revision))
        return None if not rows or rows[0][4] else key_value(rows[0])

    def range(self, start: str, end: str, revision: int, limit: int, counted: bool) -> RangeResult:
        parameters = {"start": start, "end": end, "revision": revision, "limit": limit + 1 if limit else -1}
        rows = self._rows(f"{_STATE} ORDER BY key LIMIT :limit", parameters)
        more = 0 < limit < len(rows)
        if more:
            rows.pop()
        count = len(rows)
        if more and counted:
            count = self._rows(f"SELECT count(*) FROM ({_STATE})", parameters)[0][0]
        return RangeResult([key_value(row) for row in rows], revision, count, more)

    def history(self, prefix: str, first: int, last: int) -> Sequence[Event]:
        return [event_of_row(row) for row in self._rows(_BETWEEN, (first, last, len(prefix), prefix))]


def event_of_row(row: Any) -> Event:
    return Event("DELETE" if row[4] else "PUT", key_value(row), None)


def key_value(row: Any) -> KeyValue:
    revision, key, create_revision, version, _, value = row
    return KeyValue(key, value, create_revision, revision, version)
