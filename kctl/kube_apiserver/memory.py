"""Memory back to the system, for a server that runs for weeks.

glibc keeps what was freed in the middle of its heap; after a thousand clients have left, five thousand pods, or a few bodies of megabytes,
that is most of what the process holds. malloc_trim gives it back, in a thread, since it may take some hundredths of a second.

Python frees what nobody refers to at once, and cycles when its collector comes by. The daemon's comes by for the rounds here only: objects
are trees, a request leaves no cycle, and looking at all of them as often as Python does by default costs a tenth of all CPU. Closed
connections and ended pods do leave cycles.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from functools import cache
from typing import Any

WORTH_IT = 2 << 20
"""Bytes that must have come free before it is tried."""
QUIET_SECONDS = 1.0
ROUND_SECONDS, LONGEST_ROUND_SECONDS = 300.0, 3600.0
SHORT_PAUSE_SECONDS = 0.02


@cache
def _malloc_trim() -> Any:
    """None where the C library has none."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim() -> None:
    """Blocks for a moment, without the interpreter's lock."""
    function = _malloc_trim()
    if function is not None:
        function(0)


class MemoryReturn:
    """Told what comes free; trims a second after it was enough, and every five minutes."""

    def __init__(self) -> None:
        self._freed = 0
        self._cycles = False
        self._timer: asyncio.TimerHandle | None = None
        self._round: asyncio.TimerHandle | None = None
        self._pause = 0.0
        self._collected = 0.0

    def start(self) -> None:
        self._collected = asyncio.get_running_loop().time()
        self._begin_round()

    def stop(self) -> None:
        for timer in (self._timer, self._round):
            if timer is not None:
                timer.cancel()

    def freed(self, size: int, *, cycles: bool) -> None:
        """About how much, and whether Python's collector must first find it."""
        self._freed += size
        self._cycles |= cycles
        if self._freed >= WORTH_IT and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._young)

    def _young(self) -> None:
        self._timer, self._freed = None, 0
        if self._cycles:
            self._cycles = False
            gc.collect(1)  # a closed connection is a cycle of its transport and its callbacks
        asyncio.get_running_loop().run_in_executor(None, trim)

    def _begin_round(self) -> None:
        self._round = asyncio.get_running_loop().call_later(ROUND_SECONDS, self._all)

    def _all(self) -> None:
        """Everything, where that stops the loop for a moment only; else once an hour."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self._pause <= SHORT_PAUSE_SECONDS or began - self._collected >= LONGEST_ROUND_SECONDS:
            gc.collect()
            self._collected = loop.time()
            self._pause = self._collected - began
        loop.run_in_executor(None, trim)
        self._begin_round()
