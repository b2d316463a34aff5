"""One heap of deadlines for every kubelet of the process, driven by a single timer of the Clock.

Thousands of pods wait for probes, back-offs and exits; a timer of the event loop for each would cost more than the pods.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.clock import Timer as ClockTimer

_log = logging.getLogger(__name__)


class Timer:
    """`cancel()` is cheap: the entry stays in the heap until its time or the next clean-up."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Timers:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._sequence = itertools.count()
        self._armed: ClockTimer | None = None
        self._armed_for = 0.0
        self._stopped = False

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        if self._stopped:
            return timer
        when = self._clock.monotonic() + max(seconds, 0.0)
        heapq.heappush(self._heap, (when, next(self._sequence), timer))
        if self._armed is None or when < self._armed_for:
            self._arm(when)
        return timer

    def stop(self) -> None:
        """No callback runs from now on."""
        self._stopped = True
        self._heap.clear()
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None

    def _arm(self, when: float) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed_for = when
        self._armed = self._clock.call_later(max(when - self._clock.monotonic(), 0.0), self._run_due)

    def _run_due(self) -> None:
        self._armed = None
        now = self._clock.monotonic() + 1e-6
        heap = self._heap
        due: list[Timer] = []
        while heap and heap[0][0] <= now:
            due.append(heapq.heappop(heap)[2])
        for timer in due:
            callback, timer.callback = timer.callback, None
            if callback is not None:
                try:
                    callback()
                except Exception:  # one pod's mistake must not stop the others
                    _log.exception("a timer of a simulated pod failed")
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        if heap and (self._armed is None or heap[0][0] < self._armed_for):
            self._arm(heap[0][0])
