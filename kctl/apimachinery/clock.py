"""Time as a dependency: components get a Clock by constructor and never ask the operating system or the event loop.

A clock is a thin view of the running loop's time, so that a component's timers and asyncio's own never disagree:

RealClock     what a cluster runs on: the loop's time is the machine's
VirtualClock  on a `virtual_time.VirtualTimeLoop`, whose time passes when nothing else is left to do
ScaledClock   on an ordinary loop: a second lasts 1/speed, while sockets keep real time
FakeClock     of no loop: stands still until a test moves it

and `steerable_clock.SteerableClock`, on an ordinary loop too, whose time can be paused, stepped and let run faster.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from kctl.apimachinery.virtual_time import VirtualTimeLoop

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_T = TypeVar("_T")


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    @property
    def machine(self) -> Clock:
        """The time that people and sockets wait in: limits of requests, connections and watches. The same one, but for a clock that is
        steered."""
        ...

    @property
    def is_steered(self) -> bool:
        """Whether it is another time than the machine's."""
        ...

    def now(self) -> datetime:
        """Wall time, UTC, microseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` on the event loop after `seconds`; the timer can be cancelled."""
        ...

    async def beside(self, work: Callable[[], _T]) -> _T:
        """The result of a longer computation. Where time is the machine's, a thread does it and others have their turn meanwhile; where it
        is simulated it takes none, and is done at once: what happens then has the same order every time."""
        ...


@asynccontextmanager
async def timeout(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """asyncio.timeout in the clock's time: cancels what is inside after `seconds` and raises TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as scope:
        timer = clock.call_later(seconds, lambda: scope.reschedule(loop.time()))
        try:
            yield
        finally:
            timer.cancel()


class RealClock:
    is_steered = False

    @property
    def machine(self) -> Clock:
        return self

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()  # which is loop.time(), and may be asked without a loop

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)

    async def beside(self, work: Callable[[], _T]) -> _T:
        return await asyncio.to_thread(work)


class VirtualClock:
    """`start` is the wall time at the loop's 0."""

    def __init__(self, start: datetime = NEW_YEAR) -> None:
        self._start = start

    is_steered = False

    @property
    def machine(self) -> Clock:
        return self

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)

    async def beside(self, work: Callable[[], _T]) -> _T:
        return work()

    async def step(self, seconds: float = 0.0) -> None:
        """Everything under way comes to rest, `seconds` pass with all that happens in them, and it comes to rest again."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop), "stepping needs a VirtualTimeLoop (in tests: the mark virtual_time)"
        await loop.quiet()
        if seconds > 0:
            await asyncio.sleep(seconds)
            await loop.quiet()


class ScaledClock:
    """`speed` seconds pass in one of the loop. Begins at `start` when first asked."""

    def __init__(self, speed: float, start: datetime) -> None:
        if speed <= 0:
            raise ValueError("time passes forwards: speed must be greater than 0")
        self._speed = speed
        self._start = start
        self._began = time.monotonic()

    is_steered = False

    @property
    def machine(self) -> Clock:
        return self

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds / self._speed, callback)

    async def beside(self, work: Callable[[], _T]) -> _T:
        return await asyncio.to_thread(work)


class _FakeTimer:
    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """Stands still, for what needs a time but no passing of it, or real sockets beside a time that is moved by hand."""

    def __init__(self, start: datetime = NEW_YEAR) -> None:
        self._start = start
        self._elapsed = 0.0
        self._timers: list[tuple[float, int, _FakeTimer]] = []
        self._sequence = itertools.count()

    is_steered = False

    @property
    def machine(self) -> Clock:
        return self

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not done.done():
                done.set_result(None)

        timer = self.call_later(seconds, wake)
        try:
            await done
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = _FakeTimer(callback)
        heapq.heappush(self._timers, (self._elapsed + max(seconds, 0.0), next(self._sequence), timer))
        return timer

    async def beside(self, work: Callable[[], _T]) -> _T:
        return work()

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` and run every timer due on the way, in order. What these wake runs when the loop gets its turn."""
        target = self._elapsed + seconds
        while self._timers and self._timers[0][0] <= target:
            due, _, timer = heapq.heappop(self._timers)
            self._elapsed = max(self._elapsed, due)
            if not timer.cancelled:
                timer.callback()
        self._elapsed = target
