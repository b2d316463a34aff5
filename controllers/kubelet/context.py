"""What all kubelets of the process share, handed in once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from controllers.kubelet.pod_ips import PodAddresses
from controllers.kubelet.references import Lookup, Missing
from controllers.kubelet.runtime import ContainerRuntime
from controllers.kubelet.timers import Timers
from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    from controllers.kubelet.pod_worker import PodWorker

RELIST_SECONDS = 1.0
"""How long a kubelet takes to notice that a container ended (the relist period of its pod lifecycle event generator)."""


OVERFLOW_CIDR = "100.64.0.0/10"


class Writer(Protocol):
    def enqueue(self, worker: PodWorker) -> None: ...


@dataclass(slots=True)
class KubeletContext:
    """`wait_for` wakes a worker when the missing object appears."""

    clock: Clock
    timers: Timers
    randomness: random.Random
    runtime: ContainerRuntime
    writer: Writer
    lookup: Lookup
    wait_for: Callable[[Missing, PodWorker], None]
    overflow: PodAddresses = field(default_factory=lambda: PodAddresses(OVERFLOW_CIDR))
    """Where nodes with more pods than their pod CIDR has addresses take the others from."""
    _stamp: str = ""
    _running: Object = field(default_factory=dict)
    _stamp_second: datetime | None = None

    def stamp(self) -> str:
        """Now as metav1.Time; the text is made once a second."""
        now = self.clock.now().replace(microsecond=0)
        if now != self._stamp_second:
            self._stamp_second = now
            self._stamp = times.rfc3339(now)
            self._running = {"running": {"startedAt": self._stamp}}
        return self._stamp

    def running_state(self) -> Object:
        """The state of a container that starts now, shared by all that start within the second."""
        self.stamp()
        return self._running
