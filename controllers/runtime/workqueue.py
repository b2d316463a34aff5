"""A work queue as client-go's: a key waits at most once, is never worked on twice at a time, and comes back if it was
added while in work. Delayed and rate-limited adds share one heap and one timer.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable

from kctl.apimachinery.clock import Clock, Timer

_BASE_DELAY_SECONDS = 0.005
_MAX_DELAY_SECONDS = 1000.0


class WorkQueue:
    """`on_ready` is called whenever a key becomes available to `take`."""

    def __init__(self, clock: Clock, on_ready: Callable[[], None]) -> None:
        self._clock = clock
        self._on_ready = on_ready
        self._ready: deque[str] = deque()
        self._dirty: set[str] = set()
        self._processing: set[str] = set()
        self._failures: dict[str, int] = {}
        self._delayed: list[tuple[float, int, str]] = []
        self._due: dict[str, float] = {}
        self._sequence = itertools.count()
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self._closed = False

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Nothing waits now or is in work (delayed keys do not count)."""
        return not self._ready and not self._processing

    def add(self, key: str) -> None:
        if self._closed or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._ready.append(key)
            self._on_ready()

    def take(self) -> str | None:
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._processing.add(key)
        self._dirty.discard(key)
        return key

    def done(self, key: str) -> None:
        self._processing.discard(key)
        if key in self._dirty and not self._closed:
            self._ready.append(key)
            self._on_ready()

    def take_back(self, key: str) -> bool:
        """Drops the wish to see `key` again after the work under way; says whether there was one."""
        if key in self._dirty:
            self._dirty.discard(key)
            return True
        return False

    def add_after(self, key: str, seconds: float) -> None:
        """Of several delays of one key the shortest counts."""
        if seconds <= 0:
            self.add(key)
            return
        if self._closed:
            return
        due = self._clock.monotonic() + seconds
        known = self._due.get(key)
        if known is not None and known <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._sequence), key))
        self._arm()

    def add_rate_limited(self, key: str) -> float:
        """Adds after this key's back-off (5 ms doubling to 1000 s); returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay: float = min(_BASE_DELAY_SECONDS * 2 ** min(failures, 30), _MAX_DELAY_SECONDS)
        self.add_after(key, delay)
        return delay

    def forget(self, key: str) -> None:
        self._failures.pop(key, None)

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._dirty.clear()
        self._delayed.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if not self._delayed:
            return
        due = self._delayed[0][0]
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._clock.call_later(max(due - self._clock.monotonic(), 0.0), self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.monotonic() + 1e-6
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:  # not superseded by a shorter delay
                del self._due[key]
                self.add(key)
        self._arm()
