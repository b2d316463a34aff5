"""A clock that is paused, stepped and let run faster, on a loop whose time is simulated: that time is the machine's here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from kctl.apimachinery.clock import NEW_YEAR, VirtualClock
from kctl.apimachinery.steerable_clock import SteerableClock, Steering
from kctl.apimachinery.virtual_time import QuietLoop

pytestmark = pytest.mark.virtual_time
MACHINE = VirtualClock()


def made(**more: object) -> SteerableClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, QuietLoop)
    return SteerableClock(MACHINE, settle=loop.quiet, **more)  # type: ignore[arg-type]


def seconds(clock: SteerableClock) -> float:
    """Since New Year, in the clock's time."""
    return round((clock.now() - NEW_YEAR).total_seconds(), 3)


def every(clock: SteerableClock, pause: float, said: list[float]) -> None:
    """Like a heartbeat: sets itself anew each time."""

    def beat() -> None:
        said.append(seconds(clock))
        clock.call_later(pause, beat)

    clock.call_later(pause, beat)


async def test_unsteered_it_is_the_machines_time() -> None:
    clock = made()
    assert not clock.is_steered and clock.now() == MACHINE.now()
    said: list[float] = []
    clock.call_later(2, lambda: said.append(MACHINE.monotonic()))
    clock.call_later(1, lambda: said.append(MACHINE.monotonic()))
    await asyncio.sleep(5)
    assert [round(moment, 3) for moment in said] == [1, 2]
    assert clock.now() == MACHINE.now() and clock.machine is MACHINE


async def test_timers_of_one_instant_run_in_the_order_they_were_set_and_one_that_fails_fails_alone() -> None:
    clock, said = made(), list[str]()
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context["exception"]))
    clock.call_later(1, lambda: said.append("a"))
    clock.call_later(1, lambda: [][0])
    cancelled = clock.call_later(1, lambda: said.append("never"))
    clock.call_later(1, lambda: said.append("b"))
    cancelled.cancel()
    await clock.sleep(2)
    assert said == ["a", "b"] and [type(each) for each in failures] == [IndexError]


async def test_a_timer_may_cancel_one_of_the_same_instant() -> None:
    clock, said = made(), list[str]()
    clock.call_later(1, lambda: second.cancel())
    second = clock.call_later(1, lambda: said.append("never"))
    await clock.sleep(2)
    assert said == []


async def test_paused_time_stands_still_and_sockets_time_does_not() -> None:
    clock, said = made(), list[float]()
    every(clock, 1, said)
    await asyncio.sleep(2.5)
    clock.pause()
    await asyncio.sleep(100)
    assert clock.paused and said == [1, 2] and seconds(clock) == 2.5
    soon: list[int] = []
    clock.call_later(0, lambda: soon.append(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert soon == [1], "what takes no time goes on"
    clock.resume()
    await asyncio.sleep(1)
    assert said == [1, 2, 3] and seconds(clock) == 3.5
    assert clock.ahead == timedelta(seconds=-100)


@pytest.mark.parametrize(("speed", "takes"), [(60.0, 60.0), (0.5, 7200.0), (100_000.0, 0.036)])
async def test_an_hour_takes_as_long_as_the_speed_says(speed: float, takes: float) -> None:
    clock, said = made(speed=speed), list[float]()
    every(clock, 600, said)
    await clock.sleep(3600)
    assert said == [600, 1200, 1800, 2400, 3000, 3600]
    assert seconds(clock) == 3600
    assert MACHINE.monotonic() == pytest.approx(takes, rel=0.01)


async def test_a_change_of_speed_is_felt_by_timers_that_wait() -> None:
    clock, said = made(), list[float]()
    clock.call_later(100, lambda: said.append(MACHINE.monotonic()))
    await asyncio.sleep(10)
    clock.set_speed(9)
    await asyncio.sleep(5)
    assert seconds(clock) == 55
    clock.set_speed(1)
    await asyncio.sleep(46)
    assert [round(moment, 3) for moment in said] == [60]
    assert seconds(clock) == 101


async def test_fast_time_waits_for_the_work_that_is_due() -> None:
    """At 1000 times as fast a job of three seconds would take 50 minutes of the clock's time; it takes none."""
    clock, said = made(speed=1000.0), list[tuple[float, float]]()

    async def settle() -> None:
        await asyncio.sleep(3)

    clock._settle = settle
    clock.call_later(60, lambda: said.append((seconds(clock), MACHINE.monotonic())))
    clock.call_later(61, lambda: said.append((seconds(clock), MACHINE.monotonic())))
    await asyncio.sleep(2)
    assert seconds(clock) == 60
    await asyncio.sleep(10)
    assert [moment for moment, _ in said] == [60, 61]
    assert said[1][1] - said[0][1] == pytest.approx(3.001)


async def test_a_step_runs_all_that_is_due_on_the_way_at_its_time() -> None:
    clock, said = made(), list[float]()
    every(clock, 10, said)
    began = MACHINE.monotonic()
    await clock.step(3600)
    assert MACHINE.monotonic() == began, "it takes no time of the machine's but that of the work"
    assert said == [10.0 * n for n in range(1, 361)]
    assert seconds(clock) == 3600 and not clock.paused
    await asyncio.sleep(10)
    assert said[-1] == 3610


async def test_a_step_waits_for_what_its_timers_set_going() -> None:
    clock, said = made(), list[str]()

    async def work() -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        said.append(f"done at {seconds(clock):g}")

    clock.call_later(10, lambda: asyncio.ensure_future(work()))
    clock.call_later(11, lambda: said.append("next"))
    await clock.step(20)
    assert said == ["done at 10", "next"]


async def test_a_step_of_a_paused_clock_leaves_it_paused() -> None:
    clock = made()
    clock.pause()
    await clock.step(60)
    await asyncio.sleep(5)
    assert clock.paused and seconds(clock) == 60


async def test_a_step_while_time_is_fast() -> None:
    clock, said = made(speed=60.0), list[float]()
    every(clock, 10, said)
    await asyncio.sleep(1)
    await clock.step(600)
    assert seconds(clock) == 660 and said == [10.0 * n for n in range(1, 67)]
    await asyncio.sleep(1)
    assert seconds(clock) == 720


async def test_only_one_steers_at_a_time() -> None:
    clock, met = made(), list[str]()
    said: list[float] = []

    async def second() -> None:
        calls: list[Callable[[], object]] = [clock.pause, clock.resume, lambda: clock.set_speed(2), lambda: clock.check_step(5)]
        for call in calls:
            with pytest.raises(Steering):
                call()
            met.append(f"{clock.left_of_step:g}")

    clock.call_later(10, lambda: asyncio.ensure_future(second()))
    every(clock, 7, said)
    await clock.step(60)
    assert met == ["50"] * 4 and clock.left_of_step is None


async def test_a_step_that_is_cancelled_ends_where_it_is() -> None:
    clock = made()
    step = asyncio.ensure_future(clock.step(3600))
    clock.call_later(100, step.cancel)
    with pytest.raises(asyncio.CancelledError):
        await step
    assert seconds(clock) == 100 and clock.left_of_step is None
    await asyncio.sleep(1)
    assert seconds(clock) == 101


async def test_what_never_comes_to_rest_holds_a_step_for_some_seconds_only() -> None:
    clock = made()
    clock._settle = asyncio.Event().wait  # type: ignore[assignment]
    clock.call_later(10, lambda: None)
    await clock.step(60)
    assert seconds(clock) == 60 and MACHINE.monotonic() == pytest.approx(10)


@pytest.mark.parametrize("speed", [0, -1, 0.0009, 100_001, float("nan"), float("inf")])
async def test_speeds_have_bounds(speed: float) -> None:
    with pytest.raises(ValueError, match="must be between"):
        made(speed=speed)
    with pytest.raises(ValueError, match="must be between"):
        made().set_speed(speed)


@pytest.mark.parametrize("length", [0, -5, 366 * 86_400 + 1, float("nan"), float("inf")])
async def test_steps_have_bounds(length: float) -> None:
    with pytest.raises(ValueError, match="at most 8784h"):
        await made().step(length)


async def test_it_tells_how_far_ahead_it_may_get() -> None:
    told: list[float] = []
    clock = made(on_steered=told.append)
    await clock.step(60)
    clock.pause()
    clock.resume()
    clock.set_speed(60)
    assert told == [60, 0, 0, 0, 0]


async def test_cancelled_timers_do_not_pile_up() -> None:
    clock = made()
    for _ in range(10_000):
        clock.call_later(3600, lambda: None).cancel()
    assert len(clock._timers) <= 300


async def test_a_time_that_was_ahead_stays_so() -> None:
    clock = made(ahead=timedelta(hours=5))
    assert clock.is_steered and seconds(clock) == 5 * 3600
    await asyncio.sleep(10)
    assert seconds(clock) == 5 * 3600 + 10
