"""Memory given back: when enough has come free, and in rounds; all objects are looked at only where that is quick."""

from __future__ import annotations

import asyncio
import gc

import pytest

from kctl.kube_apiserver import memory
from kctl.kube_apiserver.memory import MemoryReturn


class Calls:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trims = 0
        self.collections: list[int] = []
        monkeypatch.setattr(memory, "trim", self._trim)
        monkeypatch.setattr(gc, "collect", self._collect)

    def _trim(self) -> None:
        self.trims += 1

    def _collect(self, generation: int = 2) -> int:
        self.collections.append(generation)
        return 0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    monkeypatch.setattr(memory, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(memory, "ROUND_SECONDS", 0.01)
    return Calls(monkeypatch)


async def _settle(calls: Calls, trims: int) -> None:
    for _ in range(1000):
        if calls.trims >= trims:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{calls.trims} trims")


async def test_it_waits_until_it_is_worth_it(calls: Calls) -> None:
    returned = MemoryReturn()
    returned.freed(memory.WORTH_IT - 1, cycles=True)
    await asyncio.sleep(0.05)
    assert calls.trims == 0
    returned.freed(1, cycles=False)
    returned.freed(memory.WORTH_IT, cycles=False)
    await _settle(calls, 1)
    assert (calls.trims, calls.collections) == (1, [1])
    returned.stop()


@pytest.mark.parametrize(("short", "full"), [(1e9, True), (-1.0, False)], ids=["small heap", "large heap"])
async def test_rounds_look_at_everything_where_that_is_quick(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, short: float, full: bool
) -> None:
    monkeypatch.setattr(memory, "SHORT_PAUSE_SECONDS", short)
    returned = MemoryReturn()
    returned.start()
    await _settle(calls, 3)
    returned.stop()
    assert bool(calls.collections) == full
    assert set(calls.collections) <= {2}


def test_trim_works_or_is_not_there() -> None:
    memory.trim()
