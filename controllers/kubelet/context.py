"""What all kubelets of the process share, handed in once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from controllers.kubelet.pod_ips import PodAddresses
from controllers.kubelet.references import Lookup, Missing
from controllers.kubelet.status_writer import StatusWriter
from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object

_A_SECOND = timedelta(seconds=1)
OVERFLOW_CIDR = "100.64.0.0/10"


class Waiter(Protocol):
    """Who waits for an object: a pod worker."""

    uid: str

    def resume(self) -> None: ...


@dataclass(slots=True)
class KubeletContext:
    """`wait_for` wakes a worker when the missing object appears."""

    clock: Clock
    randomness: random.Random
    writer: StatusWriter
    lookup: Lookup
    wait_for: Callable[[Missing, Waiter], None]
    overflow: PodAddresses = field(default_factory=lambda: PodAddresses(OVERFLOW_CIDR))
    """Where nodes with more pods than their pod CIDR has addresses take the others from."""
    _stamp: str = ""
    _running: Object = field(default_factory=dict)
    _stamp_from: datetime | None = None
    _stamp_until: datetime | None = None

    def stamp(self) -> str:
        """Now as metav1.Time; the text is made once a second."""
        now = self.clock.now()
        if self._stamp_from is None or self._stamp_until is None or not self._stamp_from <= now < self._stamp_until:
            self._stamp_from = now.replace(microsecond=0)
            self._stamp_until = self._stamp_from + _A_SECOND
            self._stamp = times.rfc3339(now)
            self._running = {"running": {"startedAt": self._stamp}}
        return self._stamp

    def running_state(self) -> Object:
        """The state of a container that starts now, shared by all that start within the second."""
        self.stamp()
        return self._running
