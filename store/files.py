"""The files of one store: state.db, what SQLite keeps beside it (-wal, -shm) and the lock. For their owner's eyes only.

A database is made under another name and moved into place, so that state.db is whole from its first moment: an empty one has been
damaged, and is not taken for a new one. The lock file, which stays, remembers that there was one: a missing one is not replaced.
A process goes on writing to files that somebody has removed, and nobody would ever read what it wrote; `check` notices.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from store.errors import DamagedStore, StoreError, StoreLost

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_MARK = b"A database is kept beside this file.\n"
_ADVICE = "restore it from a copy, or remove it together with {lock} to begin with nothing"


class StoreFiles:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_path = path.with_name(path.name + ".lock")
        self._lock = -1
        self._known: dict[Path, tuple[int, int]] = {}

    def take(self) -> None:
        """Make the folder, take the lock. Raises StoreError when another process has it."""
        try:
            self.path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            self._lock = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, _FILE_MODE)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise StoreError(f"{self.path} is in use by another process") from None
        except OSError as error:
            self.release()
            raise StoreError(f"{self.path} cannot be opened: {error.strerror}") from error

    def release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def taken(self) -> bool:
        return self._lock >= 0

    def find_or_make(self, make: Callable[[Path], None]) -> None:
        """See that there is a whole database; `make` writes a new one to the path it is given. Raises DamagedStore."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            if os.pread(self._lock, len(_MARK), 0) == _MARK:
                raise self.damaged("is missing") from None
            self._make(make)
        else:
            if size == 0:
                raise self.damaged("is empty")
            self._check_length(size)
        self._make_private()

    def _make(self, make: Callable[[Path], None]) -> None:
        new = self.path.with_name(self.path.name + ".new")
        for left in (new, *_beside(new)):
            left.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, _FILE_MODE))
        make(new)
        new.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _check_length(self, size: int) -> None:
        """SQLite's header says how many pages there are; what is missing may be in the WAL, if there is one."""
        wal = _beside(self.path)[0]
        if wal.exists() and wal.stat().st_size:
            return
        with self.path.open("rb") as file:
            header = file.read(100)
        page = int.from_bytes(header[16:18], "big")
        pages = int.from_bytes(header[28:32], "big")
        whole = pages * (65536 if page == 1 else page)
        if header.startswith(b"SQLite format 3\0") and header[24:28] == header[92:96] and size < whole:
            raise self.damaged(f"is cut off: {size} of {whole} bytes are there")

    def damaged(self, how: str) -> DamagedStore:
        return DamagedStore(f"{self.path} {how}; {_ADVICE.format(lock=self.lock_path.name)}")

    def _make_private(self) -> None:
        """Whatever the umask was when they were made. SQLite gives -wal and -shm the mode of the database."""
        for path in (self.path, *_beside(self.path), self.lock_path):
            if path.exists() and path.stat().st_mode & 0o777 != _FILE_MODE:
                path.chmod(_FILE_MODE)

    def remember(self) -> None:
        """The database is open: that there is one is written down, and `check` expects the files that are there now."""
        os.pwrite(self._lock, _MARK, 0)
        self._known = {path: _identity(path) for path in (self.path, self.lock_path)}
        self.expect_wal(True)

    def expect_wal(self, present: bool) -> None:
        """SQLite removes the WAL with the last connection that is closed and makes a new one with the first that is opened."""
        wal = _beside(self.path)[0]
        self._known.pop(wal, None)
        if present and self._known:
            with contextlib.suppress(OSError):
                self._known[wal] = _identity(wal)

    def check(self) -> None:
        """Raises StoreLost where a file is gone, or another in its place. Any thread."""
        for path, known in tuple(self._known.items()):
            try:
                how = "" if _identity(path) == known else "replaced"
            except (FileNotFoundError, NotADirectoryError):
                how = "removed"
            except OSError:
                continue  # a disk that fails says so when it is written to
            if how and path in self._known:
                raise StoreLost(f"{path} has been {how} while the store was open; nothing more can be stored")


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
