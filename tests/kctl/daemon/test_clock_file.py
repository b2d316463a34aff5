"""The time of a cluster that was steered outlives its process, and never goes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kctl.apimachinery.clock import FakeClock
from kctl.daemon import clock_file
from kctl.daemon.clock_file import ClusterClock
from kctl.daemon.damage import DamagedFile


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "clock.json"


def cluster_clock(path: Path, machine: FakeClock, speed: float = 1.0) -> ClusterClock:
    made = ClusterClock(path, machine, speed, lambda: asyncio.sleep(0))
    made.start()
    return made


def present(path: Path) -> bool:
    return path.exists()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_a_cluster_that_nobody_steers_has_no_file(path: Path) -> None:
    machine = FakeClock()
    kept = cluster_clock(path, machine)
    machine.advance(100)
    kept.stop()
    assert not present(path) and kept.clock.now() == machine.now()


async def test_a_stopped_cluster_goes_on_where_it_was_and_time_passes_meanwhile(path: Path) -> None:
    machine = FakeClock()
    first = cluster_clock(path, machine)
    await first.clock.step(3600)
    first.stop()
    machine.advance(50)
    second = cluster_clock(path, machine)
    assert second.clock.now() - machine.now() == timedelta(seconds=3600)
    assert mode(path) == 0o600


async def test_of_a_crash_during_a_step_the_cluster_wakes_at_its_end(path: Path) -> None:
    machine = FakeClock()
    crashed = cluster_clock(path, machine)
    step = asyncio.ensure_future(crashed.clock.step(3600))
    crashed.clock.call_later(100, step.cancel)
    crashed._steered = lambda seconds: None  # type: ignore[method-assign]
    found: list[float] = []
    crashed.clock.call_later(50, lambda: found.append(json.loads(path.read_text())["aheadSeconds"]))
    with pytest.raises(asyncio.CancelledError):
        await step
    assert found == [3600.0]


async def test_while_time_is_fast_the_file_is_ahead_of_it(path: Path) -> None:
    machine = FakeClock()
    running = cluster_clock(path, machine, 60.0)
    for _ in range(120):
        machine.advance(0.5)
        await asyncio.sleep(0)
        after_a_crash = machine.now() + clock_file.read(path, machine)
        assert running.clock.now() <= after_a_crash <= running.clock.now() + timedelta(seconds=601)
    running.stop()
    assert machine.now() + clock_file.read(path, machine) == running.clock.now()


async def test_a_machine_whose_clock_was_set_back_does_not_take_the_cluster_back(path: Path) -> None:
    machine = FakeClock()
    first = cluster_clock(path, machine)
    await first.clock.step(60)
    machine.advance(1000)
    first.stop()
    reached = first.clock.now()
    assert cluster_clock(path, FakeClock()).clock.now() == reached


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("[1]", "is not a JSON object"),
        ("{}", "aheadSeconds None"),
        ('{"aheadSeconds": true, "reached": "2026-01-01T00:00:00Z"}', "aheadSeconds True"),
        ('{"aheadSeconds": 1e300, "reached": "2026-01-01T00:00:00Z"}', "aheadSeconds 1e"),
        ('{"aheadSeconds": 5, "reached": "yesterday"}', "reached 'yesterday'"),
        ('{"aheadSeconds": 5, "reached": "2026-01-01T00:00:00"}', "reached '2026"),
    ],
)
def test_a_damaged_file_is_named(path: Path, text: str, why: str) -> None:
    path.write_text(text)
    with pytest.raises(DamagedFile, match="clock") as raised:
        clock_file.read(path, FakeClock())
    assert why in str(raised.value) and "remove it" in str(raised.value)
