"""What every controller of a process is built from, and running a set of them (controller-runtime's manager)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from controllers.runtime.controller import Controller
from controllers.runtime.events import EventRecorder, EventSink
from controllers.runtime.informer import InformerFactory
from controllers.runtime.service_pods import ServicePods
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.resources import PODS, SERVICES
from kctl.apimachinery.user import User
from kctl.client.client import Client


@dataclass(slots=True)
class ControllerContext:
    """The outside world, handed in. `client_for` gives a client with another identity, e.g. a controller's own account."""

    client: Client
    informers: InformerFactory
    clock: Clock
    randomness: random.Random
    client_for: Callable[[User], Client] | None = None
    sink: EventSink = field(init=False)
    _service_pods: ServicePods | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.sink = EventSink(self.clock)

    def recorder(self, component: str, host: str = "") -> EventRecorder:
        return EventRecorder(self.client, self.clock, component, host, sink=self.sink)

    @property
    def service_pods(self) -> ServicePods:
        """One for all who ask."""
        if self._service_pods is None:
            self._service_pods = ServicePods(self.informers.informer(SERVICES), self.informers.informer(PODS))
        return self._service_pods


class Runnable(Protocol):
    """One entry of kube-controller-manager's table: wakes up with its informers filled.

    `loops` are started and stopped with it; `start`/`stop` are for what is no reconcile loop."""

    name: str

    @property
    def loops(self) -> Sequence[Controller]: ...

    async def start(self) -> None:
        """Called once the informers are filled."""
        ...

    async def stop(self) -> None: ...


class LoopController:
    """A Runnable that is nothing but reconcile loops."""

    name = ""

    def __init__(self) -> None:
        self.loops: list[Controller] = []

    async def start(self) -> None:
        for loop in self.loops:
            loop.start()

    async def stop(self) -> None:
        await asyncio.gather(*(loop.stop() for loop in self.loops))
