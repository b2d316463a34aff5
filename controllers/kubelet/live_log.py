"""What a live container has written: kept as it came, the oldest lines dropped first, read from the start and followed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta

from controllers.kubelet.commands.limits import LIVE_OUTPUT_BYTES
from controllers.kubelet.simulated_logs import Limit, follows
from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock

_MOST_LINES = 20_000
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class LiveLog:
    """A line that is written in pieces has the time of its first; the last may have no end yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: list[tuple[datetime, bytearray]] = []
        self._dropped = 0
        self._size = 0
        self._closed = False
        self._readers: dict[asyncio.Event, None] = {}

    def write(self, data: bytes) -> None:
        now = self._clock.now()
        for line in _LINE.findall(data):
            if self._lines and not self._lines[-1][1].endswith(b"\n"):
                self._lines[-1][1].extend(line)
            else:
                self._lines.append((now, bytearray(line)))
            self._size += len(line)
        old = max(len(self._lines) - _MOST_LINES, 0)
        size = self._size - sum(len(line) for _, line in self._lines[:old])
        while old < len(self._lines) and size > LIVE_OUTPUT_BYTES:
            size -= len(self._lines[old][1])
            old += 1
        if old:
            del self._lines[:old]
            self._size = size
            self._dropped += old
        self._tell()

    def close(self) -> None:
        """Nothing comes any more."""
        self._closed = True
        self._tell()

    def _tell(self) -> None:
        for reader in self._readers:
            reader.set()

    def end(self, lines: int) -> str:
        """The last so many lines."""
        return b"".join(bytes(line) for _, line in self._lines[-lines:]).decode(errors="replace")

    async def stream(self, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """PodLogOptions as query parameters."""
        limit, stamped = Limit(options), options.get("timestamps") in ("true", "1")
        at, offset = self._first(options), 0
        written = asyncio.Event()
        self._readers[written] = None
        try:
            while not limit.reached:
                written.clear()
                chunk = b""
                at = max(at, self._dropped)
                while at - self._dropped < len(self._lines):
                    time, line = self._lines[at - self._dropped]
                    if stamped and offset == 0 and line:
                        chunk += f"{time.strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z ".encode()
                    chunk += line[offset:]
                    offset = len(line)
                    if not line.endswith(b"\n"):
                        break
                    at, offset = at + 1, 0
                if chunk:
                    yield limit.cut(chunk)
                if not follows(options) or (self._closed and not written.is_set()):
                    return
                await written.wait()
        finally:
            self._readers.pop(written, None)

    def _first(self, options: Mapping[str, str]) -> int:
        """The number of the first line that is asked for."""
        since: datetime | None = None
        if options.get("sinceSeconds"):
            since = self._clock.now() - timedelta(seconds=int(options["sinceSeconds"]))
        elif options.get("sinceTime"):
            since = times.parse(options["sinceTime"])
        index = 0
        if since is not None:
            index = next((number for number, (time, _) in enumerate(self._lines) if time >= since), len(self._lines))
        tail = options.get("tailLines")
        if tail:
            index = max(index, len(self._lines) - int(tail))
        return self._dropped + index
