"""Reading a container's log back: `kubectl logs` with its options, over the files that a shim has put aside and the one it writes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from controllers.kubelet.process_runtime.log_file import rotated
from controllers.kubelet.simulated_logs import Limit, follows
from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock

_CHUNK = 256 * 1024
_LOOK_SECONDS = 0.1
_MOST_FILES = 100


async def stream(log: Path, options: Mapping[str, str], clock: Clock, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """PodLogOptions as query parameters. `ended`: nothing is written any more."""
    limit, since = Limit(options), _since(options, clock.now())
    stamped, tail = options.get("timestamps") in ("true", "1"), options.get("tailLines")
    wanted = options.get("stream") or "All"
    reader = _Reader(log, int(tail) if tail else None)
    try:
        while not limit.reached:
            over = ended()
            chunk = reader.read()
            if chunk:
                shown = b"".join(_shown(line, since, stamped, wanted) for line in chunk.splitlines(keepends=True))
                if shown:
                    yield limit.cut(shown)
            elif not follows(options) or over:
                return
            else:
                await clock.sleep(_LOOK_SECONDS)
    finally:
        reader.close()


def last_lines(log: Path, count: int) -> str:
    """What they say, without stamps."""
    reader = _Reader(log, count)
    try:
        text = b""
        while chunk := reader.read():
            text += b"".join(_shown(line, "", False, "All") for line in chunk.splitlines(keepends=True))
        return text.decode(errors="replace")
    finally:
        reader.close()


def _since(options: Mapping[str, str], now: datetime) -> str:
    """A stamp; they sort as text."""
    if options.get("sinceSeconds"):
        moment = now - timedelta(seconds=int(options["sinceSeconds"]))
    elif options.get("sinceTime"):
        moment = times.parse(options["sinceTime"])
    else:
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _shown(line: bytes, since: str, stamped: bool, wanted: str) -> bytes:
    moment, stream, tag, text = (*line.split(b" ", 3), b"", b"", b"")[:4]
    if (since and moment.decode() < since) or (wanted != "All" and wanted.lower().encode() != stream):
        return b""
    if tag == b"P":
        text = text.removesuffix(b"\n")
    return moment + b" " + text if stamped else text


class _Reader:
    """Whole lines in order, from the first that is wanted: all, or the last `tail`. A file that is put aside meanwhile is read to its
    end first."""

    def __init__(self, log: Path, tail: int | None) -> None:
        self._log = log
        files = [Path(rotated(str(log), number)) for number in range(_MOST_FILES, 0, -1)]
        self._waiting = [path for path in files if path.exists()] + [log]
        self._file: int | None = None
        self._rest = b""
        offset = 0
        if tail is not None:
            self._waiting, offset = _tail(self._waiting, tail)
        self._open_next(offset)

    def _open_next(self, offset: int = 0) -> bool:
        self.close()
        while self._waiting:
            path = self._waiting.pop(0)
            try:
                self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            os.lseek(self._file, offset, os.SEEK_SET)
            return True
        return False

    def read(self) -> bytes:
        """b'' where there is nothing more at present."""
        while True:
            if self._file is None and not self._open_next():
                return b""
            assert self._file is not None
            data = os.read(self._file, _CHUNK)
            if data:
                whole, newline, rest = data.rpartition(b"\n")
                if newline:
                    found, self._rest = self._rest + whole + newline, rest
                    return found
                self._rest += data
            elif self._waiting:
                self._open_next()
            elif self._put_aside():
                self._waiting = [self._log]  # once what was written to this one meanwhile is read
            else:
                return b""

    def _put_aside(self) -> bool:
        assert self._file is not None
        try:
            return os.stat(self._log).st_ino != os.fstat(self._file).st_ino
        except OSError:
            return False

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _tail(files: list[Path], count: int) -> tuple[list[Path], int]:
    """The files that hold the last lines, and where in the first of them these begin."""
    left = count
    for index in range(len(files) - 1, -1, -1):
        try:
            with open(files[index], "rb") as file:
                size = file.seek(0, os.SEEK_END)
                if left <= 0:
                    return files[index:], size
                begin, left = _back(file, size, left)
        except OSError:
            continue
        if left <= 0:
            return files[index:], begin
    return files, 0


def _back(file: BinaryIO, size: int, lines: int) -> tuple[int, int]:
    """(where the last so many lines of the file begin, how many more it would need)"""
    at, left = size, lines
    while at > 0:
        before = min(_CHUNK, at)
        at -= before
        file.seek(at)
        block = file.read(before)
        end = len(block)
        while (position := block.rfind(b"\n", 0, end)) >= 0:
            end = position
            if at + position != size - 1:
                left -= 1
                if left <= 0:
                    return at + position + 1, 0
    return 0, left - (size > 0)
