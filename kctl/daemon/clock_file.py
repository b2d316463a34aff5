"""The time of a cluster whose clock was steered, kept in its folder: how far it is from the machine's, so that it never goes back after a
restart. A cluster that nobody steered has no such file; its time is the machine's.

While time runs faster than the machine's the file is ahead of it by a few seconds' worth, and while it is stepped by the whole step. So
after a crash the cluster goes on later than where it was, never earlier; a cluster that is stopped goes on exactly where it was, plus the
time it was stopped for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.steerable_clock import SteerableClock
from kctl.daemon import private_files
from kctl.daemon.damage import DamagedFile, json_object, read_small

_ADVICE = "correct it; or remove it, and the cluster's time is the machine's again"
_INTERVAL_SECONDS = 5.0
_FURTHEST_SECONDS = 1000 * 366 * 86_400.0
"""Of a thousand years in steps; wall times have four digits for the year."""


def read(path: Path, machine: Clock) -> timedelta:
    """How far the cluster's time is from the machine's. Raises DamagedFile."""
    data = read_small(path, _ADVICE)
    if data is None:
        return timedelta(0)
    stored = json_object(path, data, _ADVICE)
    ahead, reached = stored.get("aheadSeconds"), stored.get("reached")
    if isinstance(ahead, bool) or not isinstance(ahead, int | float) or not math.isfinite(ahead) or abs(ahead) > _FURTHEST_SECONDS:
        raise DamagedFile(path, f"has an invalid value: aheadSeconds {ahead!r:.40}", _ADVICE)
    try:
        earliest = times.parse(str(reached)) - machine.now()  # the machine's clock may have been set back
    except (ValueError, TypeError):  # the latter: without a zone
        earliest = timedelta.max
    if earliest > timedelta(seconds=_FURTHEST_SECONDS):
        raise DamagedFile(path, f"has an invalid value: reached {reached!r:.40}", _ADVICE)
    return max(timedelta(seconds=ahead), earliest)


class ClusterClock:
    """The clock of a cluster under way, and its file. `start` in the event loop, `stop` when nothing uses the clock any more."""

    def __init__(self, path: Path, machine: Clock, speed: float, settle: Callable[[], Awaitable[None]]) -> None:
        """Raises DamagedFile."""
        self._path = path
        self._machine = machine
        self._timer: Timer | None = None
        self.clock = SteerableClock(machine, ahead=read(path, machine), speed=speed, settle=settle, on_steered=self._steered)

    def start(self) -> None:
        if self.clock.speed > 1.0:
            self._steered(0.0)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.clock.is_steered:
            self._write(0.0)

    def _steered(self, step_seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        fast = self.clock.speed > 1.0 and not self.clock.paused
        self._write(step_seconds + (2 * _INTERVAL_SECONDS * (self.clock.speed - 1.0) if fast else 0.0))
        if fast:
            self._timer = self._machine.call_later(_INTERVAL_SECONDS, self._later)

    def _later(self) -> None:
        """A step keeps its announcement until it is over."""
        left = self.clock.left_of_step
        self._steered(left or 0.0)

    def _write(self, more_seconds: float) -> None:
        ahead = self.clock.ahead + timedelta(seconds=more_seconds)
        reached = self._machine.now() + ahead
        kept = {"aheadSeconds": ahead.total_seconds(), "reached": times.rfc3339_micro(reached)}
        private_files.write(self._path, (json.dumps(kept) + "\n").encode(), durable=True)
