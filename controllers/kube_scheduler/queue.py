"""Pods waiting for a node: active (to be tried), backing off after a refusal, and unschedulable until something changes.

Times and moves as pkg/scheduler/backend/queue: back-off 1 s doubling to 10 s; an event that could help a refused pod moves it to
back-off or active; whoever waited five minutes is tried anyway.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from controllers.kube_scheduler.pod_info import PodInfo, QueuedPod
from kctl.apimachinery.clock import Clock, Timer

INITIAL_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 10.0
UNSCHEDULABLE_FLUSH_SECONDS = 300.0


class SchedulingQueue:
    """`on_active` is called when a pod becomes active; `sort_key` is the QueueSort plugin's; `backoff`: the first
    one and the longest, in seconds."""

    def __init__(
        self,
        clock: Clock,
        sort_key: Callable[[QueuedPod], tuple[Any, ...]],
        on_active: Callable[[], None],
        backoff: tuple[float, float] = (INITIAL_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS),
    ) -> None:
        self._clock = clock
        self._backoff_bounds = backoff
        self._sort_key = sort_key
        self._on_active = on_active
        self._sequence = itertools.count()
        self._active: list[tuple[tuple[Any, ...], int, QueuedPod]] = []
        self._backoff: list[tuple[float, int, QueuedPod]] = []
        self._unschedulable: dict[str, QueuedPod] = {}
        self._known: dict[str, QueuedPod] = {}
        self._in_flight: dict[str, QueuedPod] = {}
        self._timer: Timer | None = None
        self._timer_at = float("inf")

    def __len__(self) -> int:
        return len(self._known)

    def pods(self) -> list[PodInfo]:
        return [queued.info for queued in (*self._known.values(), *self._in_flight.values())]

    @property
    def has_active(self) -> bool:
        return bool(self._active)

    def add(self, info: PodInfo) -> None:
        """A pod seen for the first time."""
        queued = QueuedPod(info, int(info.pod["spec"].get("priority") or 0), self._clock.monotonic())
        self._known[info.uid] = queued
        self._activate(queued)

    def update(self, info: PodInfo) -> None:
        """The pod changed. One that waits for a change of its own is tried again; one in flight keeps its new version."""
        queued = self._known.get(info.uid)
        if queued is None:
            if info.uid in self._in_flight:
                self._in_flight[info.uid].info = info
            else:
                self.add(info)
            return
        old = queued.info
        queued.info = info
        queued.priority = int(info.pod["spec"].get("priority") or 0)
        if info.uid in self._unschedulable and old.pod["spec"] != info.pod["spec"]:
            self._unschedulable.pop(info.uid)
            self._back_off_or_activate(queued)

    def remove(self, uid: str) -> None:
        self._known.pop(uid, None)
        self._unschedulable.pop(uid, None)
        self._in_flight.pop(uid, None)

    def pop_all(self) -> list[QueuedPod]:
        """Every active pod, in order; they count as tried once more until `done` or `refused` is called."""
        popped = []
        while self._active:
            queued = heapq.heappop(self._active)[2]
            if self._known.get(queued.info.uid) is not queued:
                continue
            del self._known[queued.info.uid]
            self._in_flight[queued.info.uid] = queued
            queued.attempts += 1
            queued.last_tried = self._clock.monotonic()
            popped.append(queued)
        return popped

    def done(self, queued: QueuedPod) -> None:
        """Bound, or gone."""
        self._in_flight.pop(queued.info.uid, None)

    def refused(self, queued: QueuedPod, plugins: Iterable[str], *, error: bool = False) -> None:
        """No node was found (by which plugins), or binding failed with an error: then it is tried again after its back-off."""
        if self._in_flight.pop(queued.info.uid, None) is None:
            return
        queued = replace(queued, unschedulable_plugins=frozenset(plugins))
        self._known[queued.info.uid] = queued
        if error:
            self._back_off_or_activate(queued)
        else:
            self._unschedulable[queued.info.uid] = queued
            self._arm(self._clock.monotonic() + UNSCHEDULABLE_FLUSH_SECONDS)

    def move(self, helps: Callable[[QueuedPod], bool]) -> None:
        """Something happened in the cluster: try again whoever it could help."""
        moved = [queued for queued in self._unschedulable.values() if helps(queued)]
        for queued in moved:
            del self._unschedulable[queued.info.uid]
            self._back_off_or_activate(queued)

    def waiting(self) -> int:
        return len(self._unschedulable)

    def _activate(self, queued: QueuedPod) -> None:
        heapq.heappush(self._active, (self._sort_key(queued), next(self._sequence), queued))
        self._on_active()

    def _back_off_or_activate(self, queued: QueuedPod) -> None:
        until = queued.last_tried + backoff_seconds(queued.attempts, *self._backoff_bounds)
        if until <= self._clock.monotonic():
            self._activate(queued)
        else:
            heapq.heappush(self._backoff, (until, next(self._sequence), queued))
            self._arm(until)

    def _arm(self, at: float) -> None:
        """One timer for everything: the earliest end of a back-off, or the flush."""
        if at >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._clock.call_later(at - self._clock.monotonic(), self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        now = self._clock.monotonic()
        while self._backoff and self._backoff[0][0] <= now + 1e-9:
            queued = heapq.heappop(self._backoff)[2]
            if self._known.get(queued.info.uid) is queued:
                self._activate(queued)
        if self._backoff:
            self._arm(self._backoff[0][0])
        for queued in list(self._unschedulable.values()):
            if queued.last_tried + UNSCHEDULABLE_FLUSH_SECONDS <= now + 1e-9:
                del self._unschedulable[queued.info.uid]
                self._activate(queued)
        if self._unschedulable:
            self._arm(min(queued.last_tried for queued in self._unschedulable.values()) + UNSCHEDULABLE_FLUSH_SECONDS)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def backoff_seconds(attempts: int, initial: float = INITIAL_BACKOFF_SECONDS, most: float = MAX_BACKOFF_SECONDS) -> float:
    """1, 2, 4, 8, 10, 10, ..."""
    return min(initial * 2.0 ** min(max(attempts - 1, 0), 60), most) if attempts else 0.0
