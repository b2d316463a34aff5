"""Memory back to the system. glibc keeps what was freed in the middle of its heap; after a thousand clients have left, or five thousand
pods, that is most of what the process holds. malloc_trim gives it back, in a thread, since it may take some hundredths of a second.
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
    """Told what comes free; trims a second after it was enough."""

    def __init__(self) -> None:
        self._freed = 0
        self._timer: asyncio.TimerHandle | None = None

    def freed(self, size: int) -> None:
        self._freed += size
        if self._freed >= WORTH_IT and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._begin)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _begin(self) -> None:
        self._timer, self._freed = None, 0
        gc.collect(1)  # a closed connection is a cycle of its socket, its transport and their callbacks
        asyncio.get_running_loop().run_in_executor(None, trim)
