"""Looking a SQLite store over, and putting it in order, while nobody else has it open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from store.errors import StoreError

MOST_PROBLEMS = 100


class Report(NamedTuple):
    keys: int
    revision: int
    compact_revision: int
    rows: int
    """Revisions that are kept, of all keys."""
    bytes: int
    """Of the file."""
    free_bytes: int
    """In it, which a defragmentation gives back."""
    problems: list[str]


def examine(path: Path, wrong_with: Callable[[str, bytes], str]) -> Report:
    """Everything that can be told without changing the file: its pages and indexes as SQLite checks them, the revisions, and every live
    value as `wrong_with(key, value)` sees it ('' is fine). Raises StoreError where it cannot be read at all."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return _examined(connection, path, wrong_with)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _examined(connection: sqlite3.Connection, path: Path, wrong_with: Callable[[str, bytes], str]) -> Report:
    problems: list[str] = []
    for found in (*_pages(connection), *_revisions(connection), *_values(connection, wrong_with)):
        problems.append(found)
        if len(problems) == MOST_PROBLEMS:
            break
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    rows, newest = connection.execute("SELECT count(*), coalesce(max(revision), 0) FROM log").fetchone()
    page, free = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "freelist_count"))
    keys = connection.execute(f"SELECT count(*) FROM ({_LIVE})").fetchone()[0]
    revision = max(newest, meta.get("newest_revision", 0))
    return Report(keys, revision, meta.get("compact_revision", 0), rows, path.stat().st_size, page * free, problems)


_LIVE = "SELECT key, max(revision) AS revision, create_revision, version, deleted, value FROM log GROUP BY key HAVING NOT deleted"


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})"):
        if line != "ok":
            yield f"the file is damaged: {line}"


def _revisions(connection: sqlite3.Connection) -> Iterator[str]:
    for key, revision, created, version in connection.execute(f"SELECT key, revision, create_revision, version FROM ({_LIVE})"):
        if not (0 < created <= revision and version > 0 and (version > 1 or created == revision)):
            yield f"{key}: revision {revision}, created at {created}, version {version} do not go together"


def _values(connection: sqlite3.Connection, wrong_with: Callable[[str, bytes], str]) -> Iterator[str]:
    for key, value in connection.execute(f"SELECT key, value FROM ({_LIVE})"):
        if wrong := wrong_with(key, value if isinstance(value, bytes) else str(value).encode()):
            yield f"{key}: {wrong}"


def defragment(path: Path) -> int:
    """Give free space back to the file system; how many bytes the file became smaller. Needs room for a copy. Raises StoreError."""
    before = path.stat().st_size
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be defragmented: {error}") from error
    return before - path.stat().st_size


def copy(path: Path, target: Path) -> None:
    """A consistent copy of a store, also of one that is written to meanwhile; made under another name and moved into place. Raises
    StoreError."""
    if target.exists():
        raise StoreError(f"{target} is there already")
    new = target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    try:
        new.touch(mode=0o600)
        source, made = sqlite3.connect(f"file:{path}?mode=ro", uri=True), sqlite3.connect(new)
        try:
            source.backup(made)
        finally:
            source.close()
            made.close()
        new.rename(target)
    except (sqlite3.Error, OSError) as error:
        new.unlink(missing_ok=True)
        raise StoreError(f"{target} cannot be written: {error}") from error
