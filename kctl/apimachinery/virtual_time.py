"""An event loop whose time is simulated: when nothing can happen before the next timer, its clock jumps there.

A simulated hour then takes as long as the work that is done in it, and what runs is what asyncio ran anyway: sleeps, timeouts and
timers of any library follow `loop.time()`, and the components' `VirtualClock` is a view of it. Everything is quiet exactly when the
loop would block; `quiet()` waits for that moment, so that nobody has to guess how many turns of the loop some work takes.

Time stands still while the loop has work, while a job is in an executor, and while data waits in a socket. Threads of somebody's own
are not seen: give the store its synchronous mode.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

_Ts = TypeVarTuple("_Ts")
_T = TypeVar("_T")


class TimeIsUp(Exception):
    """The loop's time has reached its limit; most likely somebody waits for what never comes, and timers go round."""


class Deadlock(Exception):
    """Every task waits and nothing is left that could wake one."""


class _Selector(selectors.BaseSelector):
    """Asked by the loop to wait for input for at most `timeout`: looks for input, and where there is none asks `idle`, which lets
    time pass or says (True) that this time the waiting is real."""

    def __init__(self, idle: Callable[[float | None], bool]) -> None:
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
        found = self._inner.select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        return self._inner.select(None) if self._idle(timeout) else []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time starts at 0. `limit_seconds`: a loop that gets there raises TimeIsUp instead of running forever."""

    def __init__(self, limit_seconds: float = float("inf")) -> None:
        self._now = 0.0
        self._limit_seconds = limit_seconds
        self._jobs = 0
        self._quiet: list[asyncio.Future[None]] = []
        selector = _Selector(self._idle)
        super().__init__(selector)
        self._own_files = len(selector.get_map())
        self._files = selector.get_map

    def time(self) -> float:
        return self._now

    async def quiet(self) -> None:
        """Returns when nothing is left to do at the present time. Of several who wait the first one goes on first, and the others
        wait until what it does is done too."""
        waiter = self.create_future()
        self._quiet.append(waiter)
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

    def _idle(self, timeout: float | None) -> bool:
        if self._jobs:
            return True
        while self._quiet:
            waiter = self._quiet.pop(0)
            if not waiter.done():
                waiter.set_result(None)
                return False
        if timeout is None:
            if len(self._files()) > self._own_files:
                return True
            raise Deadlock("every task waits, no timer is set and no connection is open")
        if self._now + timeout > self._limit_seconds:
            raise TimeIsUp(f"the simulated time has reached {self._limit_seconds:g} s")
        self._now += timeout
        return False


def run(main: Coroutine[Any, Any, _T], *, limit_seconds: float = float("inf")) -> _T:
    """asyncio.run in simulated time. Raises TimeIsUp, Deadlock."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(limit_seconds)) as runner:
        return runner.run(main)
