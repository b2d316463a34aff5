"""Controllers that begin with the first object that concerns them.

Of most kinds a cluster has no object at first, and often never. Such a controller is an entry in the table with the kinds it acts on;
its module is imported and its caches are filled when there is something to do, so that the start of a cluster does not pay for it. The
watches on those kinds begin a moment after the start, as the garbage collector's do, whose caches they share.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from controllers.runtime.informer import Change, Informer
from controllers.runtime.manager import ControllerContext, LoopController
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, ResourceType

log = logging.getLogger(__name__)

AFTER_START_SECONDS = 0.05
"""How long after the start of a process its `listen` is to be called."""

Make = Callable[[], LoopController]
Load = Callable[[], object]
"""Imports what `Make` needs; done beside the event loop."""
Concerns = Callable[[Object], bool]
AtStart = Callable[[ControllerContext], Coroutine[Any, Any, None]]


class _Idle(Protocol):
    @property
    def idle(self) -> bool: ...


class _Asleep:
    idle = True


class OnDemand(LoopController):
    """Stands for the controller of that name until there is an object of `kinds` (where given, one that `of` approves). `pods` asks of
    each new pod whether it is one; pods made from one template are asked once. `at_start` is done once in any case, e.g. to create
    what a new cluster has."""

    def __init__(
        self,
        context: ControllerContext,
        name: str,
        load: Load,
        make: Make,
        kinds: Sequence[ResourceType] = (),
        *,
        of: Concerns | None = None,
        pods: Concerns | None = None,
        at_start: AtStart | None = None,
    ) -> None:
        self.context = context
        self.name = name
        self._load = load
        self._make = make
        self._kinds = kinds
        self._of = of
        self._pods = pods
        self._at_start = at_start
        self._controller: LoopController | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted = False

    @property
    def loop(self) -> _Idle:  # type: ignore[override]
        return self._controller.loop if self._controller is not None else _Asleep()

    @property
    def controller(self) -> LoopController | None:
        """The controller itself, once it has begun."""
        return self._controller

    def prepare(self) -> None:
        """Nothing: nobody waits for its watches at start."""

    async def start(self) -> None:
        """Nothing: `listen` comes a moment later, for all of them together."""

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._controller is not None:
            await self._controller.stop()

    def listen(self) -> None:
        """From now on it looks for objects that concern it."""
        if self._at_start is not None:
            self._spawn(self._at_start(self.context))
        for kind in self._kinds:
            informer = self.context.informers.informer(kind)
            informer.add_handler(self._appeared)
            informer.start()
        if self._pods is not None:
            new_specs(self.context.informers.informer(PODS)).tell(self._new_spec)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """After what was spawned before it."""
        before = self._task

        async def in_turn() -> None:
            if before is not None:
                await before
            await work

        self._task = asyncio.get_running_loop().create_task(in_turn(), name=self.name)

    def _wake(self) -> None:
        if not self._wanted:
            self._wanted = True
            self._spawn(self._run())

    async def _run(self) -> None:
        await self.context.clock.beside(self._load)
        controller, needed = self.context.informers.asked_for(self._begin)
        for informer in needed:
            informer.start()
        await asyncio.gather(*(informer.wait_for_sync() for informer in needed))
        await controller.start()
        self._controller = controller
        log.info("started %s", self.name)

    def _begin(self) -> LoopController:
        controller = self._make()
        controller.prepare()
        return controller

    def _appeared(self, changes: Sequence[Change]) -> None:
        if not self._wanted and (self._of is None or any(new is not None and self._of(new) for _, new in changes)):
            self._wake()

    def _new_spec(self, pod: Object) -> bool:
        """Whether others are wanted."""
        assert self._pods is not None
        if not self._wanted and self._pods(pod):
            self._wake()
        return not self._wanted


class NewSpecs:
    """New pods, one of each template, for all who wait for one that concerns them."""

    def __init__(self, pods: Informer) -> None:
        self._pods = pods
        self._waiting: list[Callable[[Object], bool]] = []
        self._last: object = None
        pods.add_handler(self._changed)

    def tell(self, waiting: Callable[[Object], bool]) -> None:
        """`waiting` is called with every new spec, also with those that are there already, until it answers False."""
        if all(waiting(pod) for pod in list(self._pods.list())):
            self._waiting.append(waiting)

    def _changed(self, changes: Sequence[Change]) -> None:
        for old, new in changes:
            if old is None and new is not None and new["spec"] is not self._last:
                self._last = new["spec"]
                self._waiting = [waiting for waiting in self._waiting if waiting(new)]


_NEW_SPECS: WeakKeyDictionary[Informer, NewSpecs] = WeakKeyDictionary()


def new_specs(pods: Informer) -> NewSpecs:
    """The one of that cache."""
    found = _NEW_SPECS.get(pods)
    if found is None:
        found = _NEW_SPECS[pods] = NewSpecs(pods)
    return found
