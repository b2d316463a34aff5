"""Forgetting history: rows that no revision still readable needs."""

from __future__ import annotations

import sqlite3

_FORGET = """
DELETE FROM log WHERE revision <= :revision AND (
  deleted
  OR EXISTS (SELECT 1 FROM log AS later WHERE later.key = log.key AND later.revision > log.revision AND later.revision <= :revision)
)
"""


def compact(connection: sqlite3.Connection, revision: int) -> None:
    """Within a transaction: the state at `revision` and everything later stays readable."""
    connection.execute(_FORGET, {"revision": revision})
    connection.execute("UPDATE meta SET value = ? WHERE name = 'compact_revision'", (revision,))
    connection.execute(
        "UPDATE meta SET value = max(value, (SELECT coalesce(max(revision), 0) FROM log)) WHERE name = 'newest_revision'"
    )
