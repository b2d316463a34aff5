"""Forgetting history: rows that no revision still readable needs.

First it is written down from which revision on the store can be read, then the rows go, a few at a time so that writes need not
wait for all of them. Whatever a crash leaves behind the next compaction finds, because each looks at the whole log.
A deletion at the very revision stays until the next time: a watch may begin there, and must hear of it.

Then the pages that became free are given back to the file system, again a few at a time, but for some that the next writes take.
"""

from __future__ import annotations

import sqlite3

ROWS_AT_A_TIME = 500
PAGES_AT_A_TIME = 512
FREE_PAGES_KEPT = 512
"""4 MB each."""

_END = "SELECT max(revision) FROM (SELECT revision FROM log WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?)"
_FORGET = """
DELETE FROM log WHERE revision > :after AND revision <= :end AND (
  (deleted AND revision < :revision)
  OR EXISTS (SELECT 1 FROM log AS later WHERE later.key = log.key AND later.revision > log.revision AND later.revision <= :revision)
)
"""


def remember(connection: sqlite3.Connection, revision: int) -> None:
    """Within a transaction: from now on only `revision` and later can be read."""
    connection.execute("UPDATE meta SET value = ? WHERE name = 'compact_revision'", (revision,))
    connection.execute("UPDATE meta SET value = max(value, (SELECT coalesce(max(revision), 0) FROM log)) WHERE name = 'newest_revision'")


def forget_some(connection: sqlite3.Connection, revision: int, after: int) -> int | None:
    """Within a transaction: look at the next rows above revision `after`. Where to go on; None at the end."""
    end: int | None = connection.execute(_END, (after, revision, ROWS_AT_A_TIME)).fetchone()[0]
    if end is not None:
        connection.execute(_FORGET, {"after": after, "end": end, "revision": revision})
    return end


def give_back_some(connection: sqlite3.Connection) -> bool:
    """Outside a transaction: cut some free pages off the file's end (moving what is in the way). Whether there may be more.

    A script, because sqlite3's `execute` takes one step of a statement without columns, and a step here is one page."""
    free = _free_pages(connection)
    if free <= FREE_PAGES_KEPT:
        return False
    pages = min(PAGES_AT_A_TIME, free - FREE_PAGES_KEPT)
    connection.executescript(f"PRAGMA incremental_vacuum({pages});")
    return _free_pages(connection) < free


def _free_pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def shorten_file(connection: sqlite3.Connection) -> None:
    """Outside a transaction: take the WAL over into the file, which only then gets shorter."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
