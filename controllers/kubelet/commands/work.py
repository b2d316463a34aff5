"""How much simulated processes compute: each in short slices, all of them together within a part of one core.

The units are about microseconds, counted by what is done (commands, lines, bytes) and not measured, so that a run repeats itself. A
program says `yield from work.spend(units)` in its loops; when a slice is used up that yields PAUSE, and the process goes on when its
turn comes. What cannot pause says `work.add(units)`, and is not interpreted where it goes on for too long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import SLICE_UNITS, TURN_SECONDS, UNITS_AT_ONCE
from kctl.apimachinery.clock import Clock, Timer

PAUSE = -1.0
"""What a process yields that wants to go on when its turn comes."""
_PAUSES: Sequence[float] = (PAUSE,)
_REST = 3
"""After a slice everybody else has so many times as long, where the machine is so busy that it took long."""
_NONE: Sequence[float] = ()


class Work:
    """Of the processes of one container; one of them runs at a time."""

    __slots__ = ("spent", "turns")

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.spent = 0
        """In the present slice."""

    def spend(self, units: int) -> Sequence[float]:
        """To be yielded from. Raises NotInterpreted where nobody heeds it."""
        self.spent += units
        if self.spent < SLICE_UNITS:
            return _NONE
        if self.spent > UNITS_AT_ONCE:
            raise NotInterpreted("a command that computes for that long without a pause")
        return _PAUSES

    def add(self, units: int) -> None:
        """Raises NotInterpreted where that is too much at once."""
        self.spent += units
        if self.spent > UNITS_AT_ONCE:
            raise NotInterpreted("a command that computes for that long without a pause")


class _Turn:
    __slots__ = ("step",)

    def __init__(self, step: Callable[[], None]) -> None:
        self.step: Callable[[], None] | None = step

    def cancel(self) -> None:
        self.step = None


class Turns:
    """Who wants to go on computing does so one after the other, with time for everybody else in between."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[_Turn] = deque()
        self._timer: Timer | None = None
        self._stepping = False

    def after_the_others(self, step: Callable[[], None]) -> Timer:
        """Calls `step` when its turn comes."""
        turn = _Turn(step)
        self._waiting.append(turn)
        if not self._stepping:
            self._await(TURN_SECONDS)
        return turn

    def _next(self) -> None:
        self._timer = None
        step = None
        while self._waiting and step is None:
            step = self._waiting.popleft().step
        began, self._stepping = self._clock.monotonic(), True
        try:
            if step is not None:
                step()
        finally:
            self._stepping = False
            self._await(max(TURN_SECONDS, _REST * (self._clock.monotonic() - began)))

    def _await(self, seconds: float) -> None:
        if self._waiting and self._timer is None:
            self._timer = self._clock.call_later(seconds, self._next)
