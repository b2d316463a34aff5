"""Node-pressure eviction: while a node says that memory, disk or process ids run out (annotation `kctl.dev/pressure`), its kubelet ends one
pod after the other, those first that use more than they asked for, of the lowest priority, by how much (pkg/kubelet/eviction)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from controllers.kubelet.usage import usage_of
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    from controllers.kubelet.pod_worker import PodWorker

SECONDS = 10.0
"""Between two evictions (the eviction manager's monitoring interval)."""
_CRITICAL = 2_000_000_000
_SIGNALS = {"memory": ("memory", "100Mi", "0"), "disk": ("ephemeral-storage", "10%", "0"), "pid": ("pids", "0", "0")}
"""The resource as events name it, its threshold, and what is left."""


def evicts(kinds: Sequence[str]) -> str:
    """Which of them is dealt with first: memory before all others."""
    return next((kind for kind in _SIGNALS if kind in kinds), "")


def refused(pod: Object, kinds: Sequence[str]) -> tuple[str, str] | None:
    """(reason, message) why such a node takes no such pod. Under memory pressure alone it takes those that asked for some."""
    if int(objects.spec(pod).get("priority") or 0) >= _CRITICAL or not kinds:
        return None
    names = {"memory": "MemoryPressure", "disk": "DiskPressure", "pid": "PIDPressure"}
    if list(kinds) == ["memory"] and objects.status(pod).get("qosClass") != "BestEffort":
        return None
    return "Evicted", f"The node had condition: [{' '.join(names[kind] for kind in names if kind in kinds)}]. "


class Evictions:
    """Of one node. `pods` are its workers, `kinds` what runs out at present, `defaults` the settings of its pods."""

    def __init__(
        self,
        clock: Clock,
        workers: Callable[[], Sequence[PodWorker]],
        kinds: Callable[[], Sequence[str]],
        defaults: Callable[[], Mapping[str, str]],
        tell: Callable[..., None],
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._kinds = kinds
        self._defaults = defaults
        self._tell = tell
        self._timer: Timer | None = None

    def begin(self) -> None:
        if self._timer is None:
            self._timer = self._clock.call_later(SECONDS, self._round)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _round(self) -> None:
        self._timer = None
        kind = evicts(self._kinds())
        if not kind:
            return
        self._timer = self._clock.call_later(SECONDS, self._round)
        resource, threshold, left = _SIGNALS[kind]
        self._tell("Warning", "EvictionThresholdMet", f"Attempting to reclaim {resource}")
        running = [worker for worker in self._workers() if not worker.stopping and not worker.terminal]
        running = [worker for worker in running if int(objects.spec(worker.pod).get("priority") or 0) < _CRITICAL]
        if not running or any(worker.stopping and worker.failure is not None for worker in self._workers() if worker.alive):
            return
        victim = min(running, key=self._rank)
        message = f"The node was low on resource: {resource}. Threshold quantity: {threshold}, available: {left}. "
        if kind == "memory":
            message += "".join(self._consumers(victim.pod))
        victim.event("Warning", "Evicted", message)
        victim.end("Evicted", message)

    def _memory(self, pod: Object) -> dict[str, tuple[int, int]]:
        """By container: what it uses, and what it asked for."""
        found = usage_of(pod, self._defaults(), self._clock.now(), lambda _: 1)
        used = {each.name: each.memory_bytes for each in found.containers} if found is not None else {}
        asked = {}
        for container in objects.spec(pod).get("containers") or ():
            request = ((container.get("resources") or {}).get("requests") or {}).get("memory", "0")
            asked[str(container["name"])] = quantity.whole(request)
        return {name: (used.get(name, 0), asked[name]) for name in asked}

    def _rank(self, worker: PodWorker) -> tuple[bool, int, int, str]:
        memory = self._memory(worker.pod).values()
        over = sum(used for used, _ in memory) - sum(asked for _, asked in memory)
        return over <= 0, int(objects.spec(worker.pod).get("priority") or 0), -over, worker.uid

    def _consumers(self, pod: Object) -> Sequence[str]:
        texts = []
        for name, (used, asked) in sorted(self._memory(pod).items()):
            if used > asked:
                shown = quantity.format_quantity(used // 1024 * 1024, "BinarySI")
                wanted = quantity.format_quantity(asked, "BinarySI") if asked else "0"
                texts.append(f"Container {name} was using {shown}, request is {wanted}, has larger consumption of memory. ")
        return texts
