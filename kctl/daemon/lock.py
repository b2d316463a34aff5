"""At most one process serves a cluster: the daemon or an embedded command. The lock is on run.pid and dies with its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from kctl.apimachinery.json_reading import read_json
from kctl.daemon import private_files
from kctl.daemon.damage import DamagedFile

_RECORD_BYTES = 512
"""Written with one call and always as long, so that a reader never meets half a record."""

_ATTEMPTS, _ATTEMPT_SECONDS = 5, 0.01


class Holder(NamedTuple):
    """Who serves the cluster now. `server` is '' for an embedded command and while the daemon is still starting."""

    process_id: int
    server: str
    started_at: str = ""


class AlreadyServed(Exception):
    def __init__(self, path: Path, holder: Holder) -> None:
        super().__init__(f"{path.parent} is in use by process {holder.process_id}")
        self.holder = holder


class ClusterLock:
    """Held from `acquire` until `release` or the end of the process. Raises AlreadyServed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        private_files.make_folder(self._path.parent)
        try:
            descriptor = private_files.open_file(self._path, os.O_RDWR)
        except OSError as error:
            raise _unusable(self._path, error) from None
        if not _locked(descriptor):
            try:
                raise AlreadyServed(self._path, _read(self._path, descriptor))
            finally:
                os.close(descriptor)
        self._descriptor = descriptor
        self.publish("")

    def publish(self, server: str, started_at: str = "") -> None:
        """Say where the cluster is served."""
        assert self._descriptor is not None
        import orjson  # commands only read the record: see json_reading

        record = orjson.dumps({"pid": os.getpid(), "server": server, "startedAt": started_at})
        os.pwrite(self._descriptor, record.ljust(_RECORD_BYTES - 1) + b"\n", 0)
        os.ftruncate(self._descriptor, _RECORD_BYTES)

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> ClusterLock:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def _locked(descriptor: int) -> bool:
    """Tried for a moment: whoever asks for the `holder` holds the lock for an instant too."""
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_ATTEMPT_SECONDS)
    return False


def holder(path: Path) -> Holder | None:
    """Who serves the cluster whose run.pid this is; None when nobody does. Raises DamagedFile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(path, descriptor)
        return None
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> Exception:
    """A read-only folder is not damaged, it is read-only."""
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return error
    what = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be opened ({(error.strerror or str(error)).lower()})"
    return DamagedFile(path, what, "move it away; kctl makes it anew")


def _read(path: Path, descriptor: int) -> Holder:
    """What the holder wrote. It has locked the file before it writes: an empty one is of a holder that has just begun."""
    data = os.pread(descriptor, _RECORD_BYTES, 0)
    if not data.strip():
        return Holder(0, "")
    try:
        record: Any = read_json(data)
        process_id, server, started_at = record["pid"], record["server"], record["startedAt"]
    except (ValueError, TypeError, KeyError, RecursionError):
        process_id = server = started_at = None
    if type(process_id) is not int or process_id < 1 or not isinstance(server, str) or not isinstance(started_at, str):
        raise DamagedFile(path, "is locked by a process but does not say by which", f"find and stop that process (fuser {path})")
    return Holder(process_id, server, started_at)
