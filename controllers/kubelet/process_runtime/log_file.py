"""A container's log as the CRI has it: `<RFC 3339 time> <stream> <F or P> <content>`, put aside at a size. Standard library only.

P marks what is no whole line: pieces of a very long one, and an end without a line feed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

LONGEST_LINE = 16 * 1024
DEFAULT_SIZE, DEFAULT_FILES = 10 * 1024 * 1024, 5
"""containerLogMaxSize and containerLogMaxFiles of a kubelet."""


def stamp(nanoseconds: int) -> str:
    """RFC 3339 with nanoseconds, UTC."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def rotated(name: str, number: int) -> str:
    """1 is the one put aside last."""
    return f"{name}.{number}"


class LogFile:
    """`name` in the folder `folder` (a descriptor); `now` is wall time in nanoseconds."""

    def __init__(self, folder: int, name: str, now: Callable[[], int], size: int = DEFAULT_SIZE, files: int = DEFAULT_FILES) -> None:
        self._folder = folder
        self._name = name
        self._now = now
        self._limit = size
        self._files = files
        self._begun: dict[bytes, bytes] = {}
        self._open()

    def _open(self) -> None:
        self._descriptor = os.open(self._name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600, dir_fd=self._folder)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, stream: bytes, data: bytes) -> None:
        """`stream`: stdout or stderr. A line appears when it is whole."""
        text = self._begun.pop(stream, b"") + data
        prefix = f"{stamp(self._now())} ".encode() + stream
        *lines, rest = text.split(b"\n")
        written = []
        for line in lines:
            while len(line) > LONGEST_LINE:
                written.append(prefix + b" P " + line[:LONGEST_LINE] + b"\n")
                line = line[LONGEST_LINE:]
            written.append(prefix + b" F " + line + b"\n")
        while len(rest) >= LONGEST_LINE:
            written.append(prefix + b" P " + rest[:LONGEST_LINE] + b"\n")
            rest = rest[LONGEST_LINE:]
        if rest:
            self._begun[stream] = rest
        self._append(b"".join(written))

    def close(self) -> None:
        """What was begun is written as it is."""
        for stream, rest in self._begun.items():
            self._append(f"{stamp(self._now())} ".encode() + stream + b" P " + rest + b"\n")
        self._begun.clear()
        os.close(self._descriptor)

    def _append(self, data: bytes) -> None:
        """A full disk loses lines, never the container."""
        if not data:
            return
        with contextlib.suppress(OSError):
            self._size += os.write(self._descriptor, data)
        if self._size >= self._limit:
            self._rotate()

    def _rotate(self) -> None:
        os.close(self._descriptor)
        for number in range(self._files - 1, 0, -1):
            before = rotated(self._name, number - 1) if number > 1 else self._name
            with contextlib.suppress(OSError):
                os.rename(before, rotated(self._name, number), src_dir_fd=self._folder, dst_dir_fd=self._folder)
        if self._files <= 1:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
        self._open()
