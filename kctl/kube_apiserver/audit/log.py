"""The audit log's file: JSON lines, for its owner alone. At 100 MB it is put aside, as by upstream's log backend."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from kctl.apimachinery.clock import Clock

_LOG = logging.getLogger(__name__)
MAXIMUM_BYTES = 100 * 1000 * 1000


class AuditLog:
    """`path` '-' is standard output. What one turn of the event loop logs is written at once."""

    def __init__(self, path: str, clock: Clock, maximum_bytes: int = MAXIMUM_BYTES) -> None:
        self._path = path
        self._clock = clock
        self._maximum = maximum_bytes
        self._file = -1
        self._size = 0
        self._waiting: list[bytes] = []

    def open(self) -> None:
        """Raises OSError."""
        if self._path == "-":
            self._file = sys.stdout.fileno()
            return
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def write(self, line: bytes) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(line)

    def flush(self) -> None:
        """A disk that is full must not stop the server: what cannot be written is lost, and the server's own log says so."""
        data, self._waiting = b"".join(self._waiting), []
        if not data or self._file < 0:
            return
        try:
            if self._path != "-" and self._size and self._size + len(data) > self._maximum:
                self._put_aside()
            while data:
                written = os.write(self._file, data)
                self._size += written
                data = data[written:]
        except OSError as error:
            _LOG.error("audit events are lost: %s: %s", self._path, error.strerror)

    def _put_aside(self) -> None:
        path = Path(self._path)
        moment = self._clock.now().strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
        path.rename(path.with_name(f"{path.stem}-{moment}{path.suffix}"))
        self.close()
        self.open()

    def close(self) -> None:
        if self._file >= 0 and self._path != "-":
            os.close(self._file)
        self._file = -1
