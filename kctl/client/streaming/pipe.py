"""Bytes from the task that reads a connection to the one that uses them; a bounded number of them wait."""

from __future__ import annotations

import asyncio

LIMIT_BYTES = 64 * 1024


class Pipe:
    """One writer, one reader. `feed` waits while the reader is behind, so that a fast client is slowed down by TCP."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._ended = False
        self._discards = False
        self._changed = asyncio.Event()

    async def feed(self, data: bytes) -> None:
        for start in range(0, len(data), LIMIT_BYTES):
            while len(self._waiting) >= LIMIT_BYTES and not self._discards:
                self._changed.clear()
                await self._changed.wait()
            if self._ended or self._discards:
                return
            self._waiting += data[start : start + LIMIT_BYTES]
            self._changed.set()

    def end(self) -> None:
        """Nothing more comes; what waits can still be read."""
        self._ended = True
        self._changed.set()

    def discard(self) -> None:
        """Nobody reads any more."""
        self._discards = self._ended = True
        self._waiting.clear()
        self._changed.set()

    async def read(self) -> bytes:
        """b'' at the end."""
        while not self._waiting and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._waiting)
        self._waiting.clear()
        self._changed.set()
        return data
