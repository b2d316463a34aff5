"""After a failed commit: what does the file hold? Usually what was committed before; but a commit whose answer was EIO may have
happened, and a WAL that was read anew may bring one back. Whoever believes otherwise would give its revisions a second time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from store.history import KeyState
from store.reader import COLUMNS, event_of_row
from store.types import Event


class FoundMore(Exception):
    """Raised in a transaction, which must not go on: its revisions are taken."""

    def __init__(self, changes: Sequence[tuple[Event, KeyState | None]]) -> None:
        super().__init__("an earlier write, given up for lost, has been stored; the state has been read again")
        self.changes = changes


def look_for_more(connection: sqlite3.Connection, believed: int) -> None:
    """Within a transaction: raises FoundMore where the log goes on after revision `believed`. Writes a little in any case, so that
    the disk is tried. (An UPDATE to what is there already would not do: SQLite compares, and writes nothing.)"""
    rows = connection.execute(f"SELECT {COLUMNS} FROM log WHERE revision > ? ORDER BY revision", (believed,)).fetchall()
    if rows:
        raise FoundMore([(event_of_row(row), None if row[4] else KeyState(row[2], row[0], row[3])) for row in rows])
    connection.execute("INSERT INTO meta (name, value) VALUES ('tried', 0)")
    connection.execute("DELETE FROM meta WHERE name = 'tried'")
