"""What every controller of a process is built from, and running a set of them (controller-runtime's manager)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controllers.runtime.controller import Controller
from controllers.runtime.events import EventRecorder, EventSink
from controllers.runtime.informer import InformerFactory
from controllers.runtime.reconciler import Result
from controllers.runtime.service_pods import ServicePods
from controllers.runtime.sources import Source
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.resources import PODS, SERVICES
from kctl.apimachinery.user import User
from kctl.client.client import Client


@dataclass(slots=True)
class _Shared:
    """What the controllers of a process have in common whatever their identities are."""

    sink: EventSink
    service_pods: ServicePods | None = None


@dataclass(slots=True)
class ControllerContext:
    """The outside world, handed in. `client_for` gives a client with another identity, e.g. a controller's own account."""

    client: Client
    informers: InformerFactory
    clock: Clock
    randomness: random.Random
    client_for: Callable[[User], Client] | None = None
    _shared: _Shared = field(init=False)

    def __post_init__(self) -> None:
        self._shared = _Shared(EventSink(self.clock))

    @property
    def sink(self) -> EventSink:
        return self._shared.sink

    def acting_as(self, who: User) -> ControllerContext:
        """The same for a controller that writes as `who` (--use-service-account-credentials); what is read is shared."""
        if self.client_for is None:
            return self
        client = self.client_for(who)
        client.field_manager = self.client.field_manager
        context = ControllerContext(client, self.informers, self.clock, self.randomness, self.client_for)
        context._shared = self._shared
        return context

    def recorder(self, component: str, host: str = "") -> EventRecorder:
        return EventRecorder(self.client, self.clock, component, host, sink=self.sink)

    @property
    def service_pods(self) -> ServicePods:
        """One for all who ask."""
        if self._shared.service_pods is None:
            self._shared.service_pods = ServicePods(self.informers.informer(SERVICES), self.informers.informer(PODS))
        return self._shared.service_pods


class LoopController:
    """One entry of kube-controller-manager's table: a reconciler with its loop.

    A subclass says in `wakes` what it is woken by, in `reconcile` what it then does about one key. Informers it only reads are
    asked for in its constructor; those of `wakes` come by themselves. Both are filled before `start`."""

    name = ""
    workers = 5
    pace_seconds = 0.0

    def __init__(self, context: ControllerContext) -> None:
        self.context = context
        self.loop = Controller(self.name, self, context.clock, workers=self.workers, pace_seconds=self.pace_seconds)

    def wakes(self) -> Sequence[Source]:
        """The controller's inputs."""
        raise NotImplementedError

    async def reconcile(self, key: str) -> Result | None:
        raise NotImplementedError

    def prepare(self) -> None:
        """Asks for the informers of its inputs, so that the factory starts them."""
        for source in self.wakes():
            self.context.informers.informer(source.resource)

    async def start(self) -> None:
        """Called once the informers are filled: the present state arrives as the first batch of each."""
        for source in self.wakes():
            source.attach(self.context.informers, self.loop.enqueue)
        self.loop.start()

    async def stop(self) -> None:
        await self.loop.stop()
