"""The database's tables and their versions.

One row of `log` for each revision: what a key became, or that it was deleted. The state at a revision is each key's last
row up to it. `PRAGMA user_version` says which migrations have run; a database of a newer kctl is refused.

A new database is made by plain DDL, because importing sqlite-utils takes longer than everything else at start; the
migrations from older versions run through it (`migrate`).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database

log = logging.getLogger(__name__)

VERSION = 2
_INCREMENTAL = 2

PRAGMAS = """
PRAGMA page_size = 8192;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 2000;
PRAGMA journal_size_limit = 20000000;
PRAGMA cache_size = -4000;
"""
"""The size of pages is that of a new file, and must come first: three pods of 2.5 KB share one of these, where one alone filled one of
4 KB; a third less CPU and a third less disk for each write. An older file keeps its own."""

_CREATE = """
CREATE TABLE log (
  revision INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  value BLOB NOT NULL
);
CREATE INDEX log_by_key ON log (key, revision);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('compact_revision', 0), ('newest_revision', 0);
"""


def create(connect: Callable[[Path], sqlite3.Connection], path: Path) -> None:
    """A new database in the empty file at `path`, durable when this returns."""
    connection = connect(path)
    try:
        _let_it_shrink(connection)
        connection.executescript(f"BEGIN IMMEDIATE; {_CREATE} PRAGMA user_version = {VERSION}; COMMIT;")
    finally:
        connection.close()


def prepare(connection: sqlite3.Connection) -> None:
    """Migrate. Raises StoreError for a database that is newer than this program, or none of ours."""
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise StoreError(f"the database has schema version {found}; this kctl knows versions up to {VERSION}")
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "log" not in tables:
        raise StoreError("the database is not a kctl store")
    elif found < VERSION:
        migrate(connection, found)
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        _let_it_shrink(connection)


def _let_it_shrink(connection: sqlite3.Connection) -> None:
    """By default a database keeps every page it ever had, and only a VACUUM, which copies it, changes that: at once for a new one,
    at the next start for one of before. Where there is no room for the copy it stays as it is. (Not at every start: the PRAGMA
    writes to the file even where it changes nothing.)"""
    try:
        connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        log.warning("the database cannot be made to shrink: %s", error)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring an older database to VERSION, one step at a time, each in one transaction."""
    from sqlite_utils import Database

    database = Database(connection)
    while version < VERSION:
        with connection:
            _STEPS[version](database)
            version += 1
            connection.execute(f"PRAGMA user_version = {version}")


def _remember_the_newest_revision(database: Database) -> None:
    """1 -> 2: a compaction may remove the newest row (a deletion); its number must not be given again."""
    newest = next(database.query("SELECT coalesce(max(revision), 0) AS newest FROM log"))["newest"]
    database.table("meta").upsert({"name": "newest_revision", "value": newest}, pk="name")


_STEPS: dict[int, Callable[[Database], None]] = {1: _remember_the_newest_revision}
