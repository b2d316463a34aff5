"""The clock of a cluster whose time may run faster than the machine's, stand still, or be stepped, while sockets keep the machine's time.

Its time is the machine's, moved by an offset and scaled by a speed. Timers are in a heap of its own, so that they follow when somebody
steers; one timer of the event loop stands for the earliest of them.

Where time is not simply the machine's (faster, or stepped) it moves from one due timer to the next and waits at each until everything that
timer has set going has come to rest (`settle`). So a heartbeat that falls due at 10:00:10 is written at 10:00:10, however long its writing
takes, and a speed the machine cannot keep up with becomes the highest one it can: nothing is ever late because time ran ahead of the work.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from kctl.apimachinery.clock import Clock, Timer, timeout
from kctl.apimachinery.times import FASTEST_SPEED, SLOWEST_SPEED

LONGEST_STEP_SECONDS = 366 * 86_400.0
_MOST_BEHIND_SECONDS = 1.0
"""Of the machine's time. Who is further behind than this does not try to catch up."""
_PATIENCE_SECONDS = 5.0
_INSTANT_SECONDS = 1e-6
"""Timers this close are of one instant: rounding leaves as much."""
_FEW_CANCELLED = 100
_T = TypeVar("_T")


class Steering(Exception):
    """A step is under way; only one can steer at a time."""


class _Timer:
    __slots__ = ("_clock", "callback", "context", "due", "waits")

    def __init__(self, clock: SteerableClock, due: float, callback: Callable[[], None], context: Context) -> None:
        self._clock = clock
        self.due = due
        self.callback: Callable[[], None] | None = callback
        self.context = context
        self.waits = True
        """It is in the heap."""

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            if self.waits:
                self._clock.one_cancelled()

    def run(self) -> None:
        """Unless it has been cancelled in the same instant."""
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()


class SteerableClock:
    """`machine` is the time below; `ahead` is how far this one is from it at first. `settle` returns when everything under way has come to
    rest. `on_steered` is called after each change of the time's course, with how many seconds the time may move ahead of the machine's from
    now on (0 where it will not; a step is announced before it begins).

    Who steers a cluster under way: `pause`, `resume`, `set_speed` and `step`. They raise Steering while a step is under way, and ValueError
    for what is out of bounds."""

    def __init__(
        self,
        machine: Clock,
        *,
        ahead: timedelta = timedelta(0),
        speed: float = 1.0,
        settle: Callable[[], Awaitable[None]],
        on_steered: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        _check_speed(speed)
        self.machine = machine
        """The time in which people and sockets wait."""
        self._settle = settle
        self._on_steered = on_steered
        self._ahead = ahead
        """Of the machine's wall time, where the speed is 1."""
        self._speed = speed
        self._at = machine.monotonic()
        self._began = self._at
        """At `_began` of the machine it was `_at` here."""
        self._epoch = machine.now() + ahead - timedelta(seconds=self._at)
        self._held: float | None = None
        """The time, while it stands still: paused, stepped, or waiting for what is due to be done."""
        self._paused = False
        self._step: _Step | None = None
        self._working: asyncio.Task[None] | None = None
        self._timers: list[tuple[float, int, _Timer]] = []
        self._sequence = itertools.count()
        self._cancelled = 0
        self._armed: Timer | None = None
        self._armed_for = float("inf")

    # ---- a Clock

    def now(self) -> datetime:
        if self._held is None and self._speed == 1.0:
            return self.machine.now() + self._ahead  # follows what is done to the machine's wall time
        return self._epoch + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        if self._held is not None:
            return self._held
        time = self._at + (self.machine.monotonic() - self._began) * self._speed
        if self._speed > 1.0:
            due = self._next_due()
            if due is not None and due < time:
                return due  # what is due then has not happened yet
        return time

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        over = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, partial(_end, over))
        try:
            await over
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        if seconds <= 0:
            return asyncio.get_running_loop().call_soon(callback)
        timer = _Timer(self, self.monotonic() + max(seconds, _INSTANT_SECONDS), callback, copy_context())
        heapq.heappush(self._timers, (timer.due, next(self._sequence), timer))
        if timer.due < self._armed_for and self._held is None:
            self._arm()
        return timer

    async def beside(self, work: Callable[[], _T]) -> _T:
        return await self.machine.beside(work)

    # ---- how it is steered

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def left_of_step(self) -> float | None:
        """Seconds that the step under way has still to go; None without one."""
        return self._step.target - self.monotonic() if self._step is not None else None

    @property
    def is_steered(self) -> bool:
        """Whether it is not, or no longer, the machine's time."""
        return self._held is not None or self._speed != 1.0 or bool(self._ahead)

    @property
    def ahead(self) -> timedelta:
        """Of the machine's wall time; negative where it is behind."""
        return self.now() - self.machine.now()

    def pause(self) -> None:
        """Time stands still: nothing that takes time happens, everything else does."""
        self._check_free()
        self._paused = True
        self._hold(self._present())
        self._on_steered(0.0)

    def resume(self) -> None:
        self._check_free()
        self._paused = False
        if self._working is None:
            self._go_on()
        self._on_steered(0.0)

    def set_speed(self, speed: float) -> None:
        """So many seconds pass in one of the machine's. A paused clock stays paused."""
        _check_speed(speed)
        self._check_free()
        at = self._present()
        self._speed = speed
        self._pace(at)
        if self._held is None:
            self._arm()
        self._on_steered(0.0)

    def check_step(self, seconds: float) -> None:
        """Raises what `step` would raise now."""
        if not 0 < seconds <= LONGEST_STEP_SECONDS:
            raise ValueError(f"must be greater than 0 and at most {LONGEST_STEP_SECONDS / 3600:g}h")
        self._check_free()

    async def step(self, seconds: float) -> None:
        """So many seconds pass, with everything that falls due in them; then time goes on as before. Cancelled, from where it is."""
        self.check_step(seconds)
        self._step = _Step(self.monotonic() + seconds)
        try:
            if self._working is not None:
                await asyncio.wait((self._working,))
            self._hold(self._present())
            self._on_steered(seconds)
            await self._come_to_quiet()
            await self._step_to(self._step.target)
        finally:
            self._step = None
            if not self._paused:
                self._go_on()
            self._on_steered(0.0)

    async def _step_to(self, target: float) -> None:
        while (due := self._next_due()) is not None and due <= target:
            self._held = max(due, self._held or 0.0)
            self._run_due(self._held)
            await self._come_to_quiet()
        self._held = target

    def _check_free(self) -> None:
        if self._step is not None:
            raise Steering("the cluster's time is being stepped; only one can steer it at a time")

    # ---- its course

    def _present(self) -> float:
        """The time, from which it takes another course now."""
        at = self.monotonic()
        if self._held is None and self._speed == 1.0:
            self._epoch = self.machine.now() + self._ahead - timedelta(seconds=at)
        return at

    def _hold(self, at: float) -> None:
        self._held = at
        self._disarm()

    def _go_on(self) -> None:
        """From where it was held."""
        if self._held is not None:
            self._pace(self._held)
            self._held = None
        self._arm()

    def _pace(self, at: float) -> None:
        """At the present moment of the machine it is `at`."""
        self._at, self._began = at, self.machine.monotonic()
        self._ahead = self._epoch + timedelta(seconds=at) - self.machine.now()

    async def _come_to_quiet(self) -> None:
        """What never comes to rest, or takes very long (a call of somebody's web hook), does not hold the time for ever."""
        with contextlib.suppress(TimeoutError):
            async with timeout(self.machine, _PATIENCE_SECONDS):
                await self._settle()

    def _next_due(self) -> float | None:
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heapq.heappop(timers)
            self._cancelled -= 1
        return timers[0][0] if timers else None

    def one_cancelled(self) -> None:
        """Its place in the heap is given back when it is due, or when many are like it."""
        self._cancelled += 1
        if self._cancelled > _FEW_CANCELLED and self._cancelled * 2 > len(self._timers):
            self._timers = [entry for entry in self._timers if entry[2].callback is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def _disarm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed, self._armed_for = None, float("inf")

    def _arm(self) -> None:
        """Let the loop wake us for the earliest timer."""
        self._disarm()
        due = self._next_due()
        if due is not None and self._held is None:
            left = self._at + (self.machine.monotonic() - self._began) * self._speed
            self._armed_for = due
            self._armed = self.machine.call_later(max(due - left, 0.0) / self._speed, self._fire)

    def _fire(self) -> None:
        self._armed, self._armed_for = None, float("inf")
        if self._held is not None:
            return
        now = self.monotonic()
        due = self._next_due()
        if due is None or due > now + _INSTANT_SECONDS:  # it was cancelled, or the loop was early
            self._arm()
        elif self._speed <= 1.0:
            self._run_due(now)
            self._arm()
        else:
            self._hold(due)
            self._run_due(due)
            self._working = asyncio.get_running_loop().create_task(self._come_to_rest(), name="time")

    async def _come_to_rest(self) -> None:
        """After an instant of a time that is faster than the machine's."""
        try:
            await self._come_to_quiet()
        finally:
            self._working = None
        if self._paused or self._step is not None or self._held is None:
            return
        ideal = self._at + (self.machine.monotonic() - self._began) * self._speed
        if ideal - self._held > _MOST_BEHIND_SECONDS * self._speed:
            self._pace(self._held)
        self._held = None
        self._arm()

    def _run_due(self, now: float) -> None:
        """All timers of this instant, in the order they were set. One that fails fails alone."""
        loop = asyncio.get_running_loop()
        while (due := self._next_due()) is not None and due <= now + _INSTANT_SECONDS:
            timer = heapq.heappop(self._timers)[2]
            timer.waits = False
            loop.call_soon(timer.run, context=timer.context)


class _Step:
    def __init__(self, target: float) -> None:
        self.target = target


def _check_speed(speed: float) -> None:
    if not SLOWEST_SPEED <= speed <= FASTEST_SPEED:
        raise ValueError(f"must be between {SLOWEST_SPEED:g} and {FASTEST_SPEED:g}")


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
