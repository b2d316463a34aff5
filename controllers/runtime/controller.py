"""The loop around a reconciler: takes keys from the queue, at most so many at a time, and acts on the verdict.

Tasks exist only while there is work, so an idle controller costs nothing. An error means back-off, requeue_after a
timer, success means forget; a reconciler contains no sleep, no `except Exception`, no queue call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from controllers.runtime.reconciler import Reconciler, Result, TerminalError
from controllers.runtime.workqueue import WorkQueue
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, Conflict
from kctl.client.errors import ConnectionFailed

log = logging.getLogger(__name__)


class Controller:
    """`pace_seconds`: least time from the end of one reconcile of a key to the start of its next, so that a stream of
    changes (a thousand pods becoming ready) is answered by a few writes of their owner rather than one per commit."""

    def __init__(self, name: str, reconciler: Reconciler, clock: Clock, *, workers: int = 5, pace_seconds: float = 0.0) -> None:
        self.name = name
        self._reconciler = reconciler
        self._clock = clock
        self._workers = workers
        self._pace_seconds = pace_seconds
        self._finished: dict[str, float] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._running = False
        self._pump_planned = False
        self.queue = WorkQueue(clock, self._plan_pump)

    @property
    def idle(self) -> bool:
        return not self._tasks and self.queue.idle

    def enqueue(self, key: str) -> None:
        last = self._finished.get(key)
        if last is None:
            self.queue.add(key)
        else:
            self.queue.add_after(key, last + self._pace_seconds - self._clock.monotonic())

    def enqueue_object(self, obj: Object) -> None:
        self.enqueue(objects.key(obj))

    def enqueue_after(self, key: str, seconds: float) -> None:
        self.queue.add_after(key, seconds)

    def start(self) -> None:
        """Keys added before wait until this call: informers fill up first."""
        self._running = True
        self._plan_pump()

    async def stop(self) -> None:
        self._running = False
        self.queue.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _plan_pump(self) -> None:
        if self._running and not self._pump_planned:
            self._pump_planned = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_planned = False
        while self._running and len(self._tasks) < self._workers:
            key = self.queue.take()
            if key is None:
                return
            task = asyncio.create_task(self._work(key), name=f"{self.name} {key}")
            self._tasks[task] = None
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if len(self.queue):
            self._plan_pump()

    async def _work(self, key: str) -> None:
        try:
            result = await self._reconciler.reconcile(key)
        except Conflict as conflict:
            log.debug("%s %s: %s", self.name, key, conflict)
            self.queue.add_rate_limited(key)
        except TerminalError as error:
            log.error("%s %s: %s; not tried again", self.name, key, error)
            self.queue.forget(key)
        except ConnectionFailed as error:
            log.warning("%s %s: %s", self.name, key, error)
            self.queue.add_rate_limited(key)
        except Exception as error:
            delay = self.queue.add_rate_limited(key)
            log.warning("%s %s: %s; again in %.3f s", self.name, key, error, delay, exc_info=_unexpected(error))
        else:
            self._follow_up(key, result)
        finally:
            self._finish(key)

    def _follow_up(self, key: str, result: Result | None) -> None:
        if result is not None and result.requeue:
            self.queue.add_rate_limited(key)
            return
        self.queue.forget(key)
        if result is not None and result.requeue_after is not None:
            self.queue.add_after(key, result.requeue_after)

    def _finish(self, key: str) -> None:
        if self._pace_seconds and self._running:
            self._finished[key] = self._clock.monotonic()
            self._clock.call_later(self._pace_seconds, lambda: self._pace_over(key))
            # What came in during the work waits out the pace too.
            if self.queue.take_back(key):
                self.queue.done(key)
                self.queue.add_after(key, self._pace_seconds)
                return
        self.queue.done(key)

    def _pace_over(self, key: str) -> None:
        last = self._finished.get(key)
        if last is not None and last + self._pace_seconds <= self._clock.monotonic() + 1e-6:
            del self._finished[key]


def _unexpected(error: Exception) -> bool:
    """API refusals explain themselves; anything else is a bug and wants its traceback."""
    return not isinstance(error, ApiError)
