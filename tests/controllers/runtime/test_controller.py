"""Work queue and loop: one at a time per key, delays, back-off, verdicts, pace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from controllers.runtime.controller import Controller
from controllers.runtime.reconciler import Result, TerminalError
from controllers.runtime.workqueue import WorkQueue
from kctl.apimachinery.clock import FakeClock, VirtualClock
from kctl.apimachinery.status import conflict
from tests.controllers.fake_api import turns


class Recorded:
    def __init__(self, clock: VirtualClock, act: Callable[[str], Awaitable[Result | None]] | None = None) -> None:
        self.clock = clock
        self.seen: list[tuple[str, float]] = []
        self.act = act

    async def reconcile(self, key: str) -> Result | None:
        self.seen.append((key, round(self.clock.monotonic(), 3)))
        return await self.act(key) if self.act else None


def test_queue_deduplicates_and_brings_back_what_was_added_in_work() -> None:
    queue = WorkQueue(VirtualClock(), lambda: None)
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert (queue.take(), queue.take(), queue.take()) == ("a", "b", None)
    queue.add("a")
    assert queue.take() is None
    queue.done("a")
    assert queue.take() == "a"


async def test_of_several_delays_the_shortest_counts() -> None:
    clock = VirtualClock()
    queue = WorkQueue(clock, lambda: None)
    queue.add_after("a", 5)
    queue.add_after("a", 1)
    queue.add_after("b", 3)
    await clock.step(1)
    assert (queue.take(), queue.take()) == ("a", None)
    queue.done("a")
    await clock.step(9)
    assert (queue.take(), queue.take()) == ("b", None)


def test_back_off_doubles_to_its_limit_and_is_forgotten() -> None:
    queue = WorkQueue(FakeClock(), lambda: None)
    assert [queue.add_rate_limited("a") for _ in range(3)] == [0.005, 0.01, 0.02]
    assert [queue.add_rate_limited("a") for _ in range(30)][-1] == 1000
    queue.forget("a")
    assert queue.add_rate_limited("a") == 0.005


async def test_a_key_is_never_worked_on_twice_at_a_time() -> None:
    clock, gate = VirtualClock(), asyncio.Event()
    running = 0

    async def act(key: str) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await gate.wait()
        running -= 1

    reconciler = Recorded(clock, act)
    loop = Controller("test", reconciler, clock)
    loop.start()
    loop.enqueue("a")
    await turns()
    loop.enqueue("a")
    loop.enqueue("a")
    await turns()
    assert len(reconciler.seen) == 1
    gate.set()
    await turns()
    assert len(reconciler.seen) == 2
    assert loop.idle
    await loop.stop()


async def test_no_more_workers_than_allowed() -> None:
    clock, gate = VirtualClock(), asyncio.Event()

    async def act(key: str) -> None:
        await gate.wait()

    reconciler = Recorded(clock, act)
    loop = Controller("test", reconciler, clock, workers=2)
    for key in "abcd":
        loop.enqueue(key)
    loop.start()
    await turns()
    assert len(reconciler.seen) == 2
    gate.set()
    await turns()
    assert len(reconciler.seen) == 4
    await loop.stop()


@pytest.mark.parametrize(
    ("failure", "times"),
    [(RuntimeError("boom"), 3), (conflict("", "pods", "a", "changed"), 3), (TerminalError("hopeless"), 1)],
    ids=["error", "conflict", "terminal"],
)
async def test_errors_are_retried_with_back_off_unless_terminal(failure: Exception, times: int) -> None:
    clock = VirtualClock()

    async def act(key: str) -> None:
        raise failure

    reconciler = Recorded(clock, act)
    loop = Controller("test", reconciler, clock)
    loop.start()
    loop.enqueue("a")
    await clock.step(0.016)
    assert [at for _, at in reconciler.seen] == [0.0, 0.005, 0.015][:times]
    await loop.stop()


async def test_requeue_after() -> None:
    clock = VirtualClock()

    async def act(key: str) -> Result:
        return Result(requeue_after=10)

    reconciler = Recorded(clock, act)
    loop = Controller("test", reconciler, clock)
    loop.start()
    loop.enqueue("a")
    await clock.step(25)
    assert [at for _, at in reconciler.seen] == [0, 10, 20]
    await loop.stop()


async def test_pace_merges_a_stream_of_changes() -> None:
    clock = VirtualClock()
    reconciler = Recorded(clock)
    loop = Controller("test", reconciler, clock, pace_seconds=0.05)
    loop.start()
    for _ in range(20):
        loop.enqueue("a")
        await clock.step(0.01)
    await clock.step(1)
    assert [at for _, at in reconciler.seen] == [0, 0.05, 0.1, 0.15, 0.2]
    await clock.step(1)
    loop.enqueue("a")
    await turns()
    assert reconciler.seen[-1][1] == clock.monotonic()
    await loop.stop()
