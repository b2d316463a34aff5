"""A disk that refuses on command: connections whose statements fail, or whose COMMIT happens and is then reported as failed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from store import schema

FULL = "database or disk is full"
INPUT_OUTPUT = "disk I/O error"
READ_ONLY = "attempt to write a readonly database"


class FailingDisk:
    """`connect` is what a SqliteStore takes; the attributes say how its connections fail at present."""

    def __init__(self) -> None:
        self.refuses_commits = ""
        self.refuses_everything = ""
        self.loses_the_answer_of_commits = False

    def connect(self, path: Path) -> sqlite3.Connection:
        if self.refuses_everything:
            raise sqlite3.OperationalError("unable to open database file")
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_connection_class(self))
        connection.executescript(schema.PRAGMAS)
        return connection


def _connection_class(disk: FailingDisk) -> Callable[..., sqlite3.Connection]:
    class FailingConnection(sqlite3.Connection):
        def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
            if disk.refuses_everything:
                raise sqlite3.OperationalError(disk.refuses_everything)
            commits = statement == "COMMIT"
            if commits and disk.refuses_commits:
                raise sqlite3.OperationalError(disk.refuses_commits)
            cursor = super().execute(statement, parameters)
            if commits and disk.loses_the_answer_of_commits:
                raise sqlite3.OperationalError(INPUT_OUTPUT)
            return cursor

    return FailingConnection
