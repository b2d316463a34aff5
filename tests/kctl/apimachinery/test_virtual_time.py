"""Simulated time: it passes when nothing else is left to do, and never otherwise."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from kctl.apimachinery import virtual_time
from kctl.apimachinery.clock import NEW_YEAR, Clock, FakeClock, ScaledClock, VirtualClock, timeout
from kctl.apimachinery.virtual_time import Deadlock, TimeIsUp, VirtualTimeLoop


def test_a_day_passes_at_once_and_in_order() -> None:
    clock, seen = VirtualClock(), []

    async def main() -> None:
        for seconds in (3600, 1, 60):
            clock.call_later(seconds, lambda: seen.append(clock.monotonic()))
        await asyncio.sleep(86_400)
        seen.append(clock.monotonic())
        assert clock.now() == NEW_YEAR + timedelta(days=1)

    virtual_time.run(main())
    assert seen == [1, 60, 3600, 86_400]


def test_timers_of_one_instant_run_in_the_order_they_were_set_unless_cancelled() -> None:
    seen: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(10, lambda: timers[8].cancel())
        timers = [loop.call_at(10, seen.append, number) for number in range(50)]
        timers[7].cancel()
        await asyncio.sleep(10)
        assert timers[0].when() == 10

    virtual_time.run(main())
    assert seen == [number for number in range(50) if number not in (7, 8)]


def test_time_stands_still_while_there_is_work() -> None:
    async def main() -> None:
        clock = VirtualClock()
        clock.call_later(1, lambda: None)
        for _ in range(10_000):
            await asyncio.sleep(0)
        assert clock.monotonic() == 0
        assert await asyncio.get_running_loop().run_in_executor(None, lambda: time.sleep(0.05) or "done") == "done"
        assert clock.monotonic() == 0

    virtual_time.run(main())


def test_time_stands_still_while_data_waits_in_a_socket() -> None:
    async def main() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        found = await reader.readline()
        writer.close()
        server.close()
        return found

    assert virtual_time.run(main()) == b"hello\n"


def test_quiet_is_when_the_loop_would_block() -> None:
    async def main() -> list[str]:
        journal: list[str] = []

        async def chain(length: int) -> None:
            for _ in range(length):
                await asyncio.sleep(0)
            journal.append("worked")

        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        tasks = [asyncio.create_task(chain(5000))]
        loop.call_later(1, journal.append, "later")
        await loop.quiet()
        journal.append("quiet")
        assert tasks[0].done() and loop.time() == 0
        return journal

    assert virtual_time.run(main()) == ["worked", "quiet"]


def test_a_step_ends_when_what_it_woke_is_done() -> None:
    async def main() -> None:
        clock, woken = VirtualClock(), []

        async def work() -> None:
            await clock.sleep(10)
            for _ in range(500):
                await asyncio.sleep(0)
            woken.append(clock.monotonic())

        task = asyncio.create_task(work())
        await clock.step(9.5)
        assert not woken
        await clock.step(0.5)
        assert woken == [10] and task.done()

    virtual_time.run(main())


def test_a_rest_of_time_too_small_to_be_added_passes_nevertheless() -> None:
    """1020 + 1e-14 is 1020."""
    waits = []

    async def main() -> None:
        clock = VirtualClock()
        await clock.sleep(1020)
        due = clock.monotonic() + 1e-14
        while not waits or clock.monotonic() <= due:
            waits.append(clock.monotonic())
            await clock.sleep(1e-14)
            assert len(waits) < 10

    virtual_time.run(main())
    assert len(waits) == 1


def test_who_waits_for_ever_is_told() -> None:
    async def forgotten() -> None:
        await asyncio.Event().wait()

    async def rounds() -> None:
        asyncio.get_running_loop().call_later(10, lambda: asyncio.create_task(rounds()))
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        virtual_time.run(forgotten())
    with pytest.raises(TimeIsUp, match="3600 s"):
        virtual_time.run(rounds(), limit_seconds=3600)


async def _limited(clock: Clock, seconds: float, work_seconds: float) -> str:
    try:
        async with timeout(clock, seconds):
            await clock.sleep(work_seconds)
            return "done"
    except TimeoutError:
        return "late"


@pytest.mark.parametrize(("work_seconds", "expected"), [(29, "done"), (31, "late")])
def test_a_timeout_follows_the_clock(work_seconds: float, expected: str) -> None:
    assert virtual_time.run(_limited(VirtualClock(), 30, work_seconds)) == expected


async def test_a_timeout_follows_a_clock_that_is_moved_by_hand() -> None:
    clock = FakeClock()
    task = asyncio.create_task(_limited(clock, 30, 3600))
    await asyncio.sleep(0)
    clock.advance(29)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    clock.advance(1)
    assert await task == "late"


async def test_a_cancelled_task_is_not_taken_for_late() -> None:
    task = asyncio.create_task(_limited(FakeClock(), 30, 3600))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_scaled_time_passes_faster_and_agrees_with_itself() -> None:
    clock = ScaledClock(60, NEW_YEAR)

    async def main() -> tuple[float, float]:
        began, real = clock.monotonic(), time.monotonic()
        await clock.sleep(6)
        return clock.monotonic() - began, time.monotonic() - real

    scaled, real = asyncio.run(main())
    assert scaled >= 6 and real >= 0.1
    assert clock.now() - NEW_YEAR >= timedelta(seconds=6)
    with pytest.raises(ValueError, match="greater than 0"):
        ScaledClock(0, NEW_YEAR)
