"""An event loop whose time is simulated: when nothing can happen before the next timer, its clock jumps there.

A simulated hour then takes as long as the work that is done in it, and what runs is what asyncio ran anyway: sleeps, timeouts and
timers of any library follow `loop.time()`, and the components' `VirtualClock` is a view of it. Everything is quiet exactly when the
loop would block; `quiet()` waits for that moment, so that nobody has to guess how many turns of the loop some work takes.

Time stands still while the loop has work, while a job is in an executor, and while data waits in a socket. Threads of somebody's own
are not seen: give the store its synchronous mode.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

_Ts = TypeVarTuple("_Ts")
_T = TypeVar("_T")


_SHORTEST_SECONDS = 1e-6


class TimeIsUp(Exception):
    """The loop's time has reached its limit; most likely somebody waits for what never comes, and timers go round."""


class Deadlock(Exception):
    """Every task waits and nothing is left that could wake one."""


class _AskedSelector(selectors.DefaultSelector):
    """Asked by the loop to wait for input, it says so to `idle` where there is none; if that gives the loop something to do it does not
    wait."""

    def __init__(self, asked: Callable[[], bool], idle: Callable[[], bool]) -> None:
        super().__init__()
        self._asked = asked
        self._idle = idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """`timeout` is 0 while the loop has something else to do."""
        if timeout == 0 or not self._asked():
            return super().select(timeout)
        ready = super().select(0)
        return ready if ready or self._idle() else super().select(timeout)


class QuietLoop(asyncio.SelectorEventLoop):
    """The default loop, in the machine's time, and `quiet()`. Nothing private of asyncio is used: the loop asks its selector to wait when
    nothing is left to run."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self._jobs = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        super().__init__(selector or _AskedSelector(self._is_asked, self._tell_one))

    async def quiet(self) -> None:
        """Returns when nothing is left to do at the present time. Of several who wait the first one goes on first, and the others
        wait until what it does is done too."""
        waiter = self.create_future()
        self._waiting.append(waiter)
        await waiter

    def run_in_executor(self, executor: Executor | None, func: Callable[[*_Ts], _T], *args: *_Ts) -> asyncio.Future[_T]:
        self._jobs += 1
        job = super().run_in_executor(executor, func, *args)
        job.add_done_callback(self._job_done)
        return job

    async def shutdown_default_executor(self, *arguments: Any) -> None:
        self._jobs += 1  # its threads end in real time
        try:
            await super().shutdown_default_executor(*arguments)
        finally:
            self._jobs -= 1

    def _job_done(self, job: asyncio.Future[Any]) -> None:
        self._jobs -= 1

    def _is_asked(self) -> bool:
        return not self._jobs and bool(self._waiting)

    def _tell_one(self) -> bool:
        """Whether there was one who waited for the quiet."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return True
        return False


class _Selector(selectors.BaseSelector):
    """Asked by the loop to wait for input: looks for input, and where there is none asks `idle`, which lets time pass or says (True)
    that this time the waiting is real."""

    def __init__(self, idle: Callable[[], bool]) -> None:
        self._inner = selectors.DefaultSelector()
        self._idle = idle

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """`timeout` is 0 while the loop has something else to do; there are no timers but ours, so otherwise it is None."""
        ready = self._inner.select(0)
        if ready or timeout is not None:
            return ready
        return self._inner.select(None) if self._idle() else []


class VirtualTimeLoop(QuietLoop):
    """Time starts at 0. Timers of one instant run in the order they were set. `limit_seconds`: a loop that gets there raises TimeIsUp
    instead of running forever."""

    def __init__(self, limit_seconds: float = float("inf")) -> None:
        self._now = 0.0
        self._limit_seconds = limit_seconds
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Callable[[], object]]] = []
        self._sequence = itertools.count()
        selector = _Selector(self._idle)
        super().__init__(selector)
        self._files = selector.get_map
        self._own_files = len(self._files())

    def time(self) -> float:
        return self._now

    def call_later(
        self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Any delay at all is a microsecond at least. Who waits for the rest of a time (of which rounding may leave some 1e-14 s) would
        otherwise ask again at the same instant for ever."""
        return self.call_at(self._now + max(delay, _SHORTEST_SECONDS) if delay > 0 else self._now, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)

        def fire() -> None:
            if not handle.cancelled():
                callback(*args)

        if when <= self._now:
            self.call_soon(fire, context=context)
        else:
            run: Callable[[], object] = partial(self.call_soon, fire, context=context or copy_context())
            heapq.heappush(self._timers, (when, next(self._sequence), handle, run))
        return handle

    def _idle(self) -> bool:
        if self._jobs:
            return True
        if self._tell_one():
            return False
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if self._timers:
            self._pass_time(self._timers[0][0])
        elif len(self._files()) > self._own_files:
            return True
        else:
            raise Deadlock("every task waits, no timer is set and no connection is open")
        return False

    def _pass_time(self, to: float) -> None:
        if to > self._limit_seconds:
            raise TimeIsUp(f"the simulated time has reached {self._limit_seconds:g} s")
        self._now = to
        while self._timers and self._timers[0][0] <= to:
            heapq.heappop(self._timers)[3]()


def run(main: Coroutine[Any, Any, _T], *, limit_seconds: float = float("inf")) -> _T:
    """asyncio.run in simulated time. Raises TimeIsUp, Deadlock."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(limit_seconds)) as runner:
        return runner.run(main)
