"""What containers that are processes use, for `kctl top`: CPU over the time between two looks, memory as it is resident now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from controllers.kubelet.process_runtime import process_tree
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.client.kubelet import ContainerUsage, PodUsage

SHORTEST_SECONDS = 1.0
"""Between two looks: clock ticks are too coarse for less."""
_MOST = 20_000


class Measured(Protocol):
    """A container as the meter knows it."""

    container_id: str
    started_at: datetime

    @property
    def name(self) -> str: ...

    @property
    def shim(self) -> int: ...


class _Look(NamedTuple):
    moment: datetime
    cpu_seconds: float
    nanocores: int
    memory_bytes: int


class ProcessMeter:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looks: dict[str, tuple[_Look, _Look]] = {}
        """By container id: what was before, and the newest."""

    def usage(self, pod: Object, containers: Sequence[Measured]) -> PodUsage | None:
        if not containers:
            return None
        found = [(each, self._look(each)) for each in containers]
        window = max(int((looks[1].moment - looks[0].moment).total_seconds()) for _, looks in found)
        shown = tuple(ContainerUsage(each.name, looks[1].nanocores, looks[1].memory_bytes) for each, looks in found)
        return PodUsage(pod, max(looks[1].moment for _, looks in found), max(window, 1), shown)

    def _look(self, container: Measured) -> tuple[_Look, _Look]:
        now = self._clock.now()
        looks = self._looks.get(container.container_id)
        if looks is not None and (now - looks[1].moment).total_seconds() < SHORTEST_SECONDS:
            return looks
        cpu, memory = _of(container.shim)
        before = looks[1] if looks is not None else _Look(container.started_at, 0.0, 0, 0)
        seconds = max((now - before.moment) / timedelta(seconds=1), 0.001)
        newest = _Look(now, cpu, int(max(cpu - before.cpu_seconds, 0.0) / seconds * 1e9), memory)
        if len(self._looks) >= _MOST:
            self._looks.pop(next(iter(self._looks)))
        self._looks[container.container_id] = before, newest
        return before, newest


def _of(shim: int) -> tuple[float, int]:
    """(CPU seconds, bytes) of all processes below it, and of those that have ended."""
    below = process_tree.descendants(shim)
    ended = process_tree.waited_for_seconds(shim)
    return ended + sum(each.cpu_seconds for each in below), sum(each.memory_bytes for each in below)
