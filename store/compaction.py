"""Forgetting history: rows that no revision still readable needs.

First it is written down from which revision on the store can be read, then the rows go, a few at a time so that writes need not
wait for all of them. Whatever a crash leaves behind the next compaction finds, because each looks at the whole log.
A deletion at the very revision stays until the next time: a watch may begin there, and must hear of it.
"""

from __future__ import annotations

import sqlite3

ROWS_AT_A_TIME = 500

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
