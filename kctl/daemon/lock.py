"""At most one process serves a cluster: the daemon or an embedded command. The lock is on run.pid and dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Holder:
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
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = _read(descriptor)
            os.close(descriptor)
            raise AlreadyServed(self._path, found) from None
        self._descriptor = descriptor
        self.publish("")

    def publish(self, server: str, started_at: str = "") -> None:
        """Say where the cluster is served."""
        assert self._descriptor is not None
        record = json.dumps({"pid": os.getpid(), "server": server, "startedAt": started_at})
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, record.encode(), 0)

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


def holder(path: Path) -> Holder | None:
    """Who serves the cluster whose run.pid this is; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(descriptor)
        return None
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> Holder:
    try:
        record: dict[str, Any] = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        record = {}
    return Holder(int(record.get("pid") or 0), str(record.get("server") or ""), str(record.get("startedAt") or ""))
