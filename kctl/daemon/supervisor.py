"""Starts components in the order of the list, each when those it depends on are ready; stops them in reverse.

A component that ends on its own, or raises, stops the whole cluster, and `ComponentCrashed` carries its name: a control
plane with a dead part must not look alive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kctl.apimachinery.clock import Clock
from kctl.daemon.component import Component

_log = logging.getLogger(__name__)
STOP_SECONDS = 10.0


class ComponentCrashed(Exception):
    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} stopped: {why}")
        self.name = name


@dataclass(slots=True)
class ComponentState:
    """What the mirror pod of a component shows."""

    name: str
    started_at: datetime | None = None
    ready: bool = False
    error: str = ""


@dataclass(slots=True)
class _Running:
    component: Component
    state: ComponentState
    task: asyncio.Task[None]
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    def __init__(self, components: Sequence[Component], clock: Clock) -> None:
        self._components = components
        self._clock = clock
        self._running: list[_Running] = []
        self.states = {component.name: ComponentState(component.name) for component in components}
        _check_order(components)

    async def start(self, on_ready: Callable[[str], None] = lambda name: None) -> None:
        """Returns when every component is ready. Raises ComponentCrashed, after stopping those already running."""
        for component in self._components:
            ready = asyncio.Event()
            state = self.states[component.name]
            stop = asyncio.Event()
            task = asyncio.create_task(component.run(ready.set, stop), name=component.name)
            self._running.append(_Running(component, state, task, stop))
            state.started_at = self._clock.now()
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.is_set():
                waiting.cancel()
                await self._crash()
            state.ready = True
            _log.info("%s is ready", component.name)
            on_ready(component.name)

    async def wait(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; raises ComponentCrashed when a component ends before that."""
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, *(running.task for running in self._running)}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            stopping.cancel()
            await self._crash()

    async def _crash(self) -> None:
        culprit = next(running for running in self._running if running.task.done())
        error = culprit.task.exception() if not culprit.task.cancelled() else None
        why = f"{type(error).__name__}: {error}" if error is not None else "it ended"
        culprit.state.ready, culprit.state.error = False, why
        await self.stop()
        raise ComponentCrashed(culprit.component.name, why) from error

    async def stop(self) -> None:
        """Stop in reverse order, each given STOP_SECONDS before it is cancelled. Idempotent."""
        while self._running:
            running = self._running.pop()
            running.stop.set()
            running.state.ready = False
            done, _ = await asyncio.wait({running.task}, timeout=STOP_SECONDS)
            if not done:
                _log.error("%s did not stop within %s s", running.component.name, STOP_SECONDS)
                running.task.cancel()
            await asyncio.gather(running.task, return_exceptions=True)


def _check_order(components: Sequence[Component]) -> None:
    """The list must read as the architecture: whoever is depended on comes first."""
    seen: set[str] = set()
    for component in components:
        missing = [name for name in component.dependencies if name not in seen]
        if missing:
            raise ValueError(f"{component.name} depends on {', '.join(missing)}, which the list does not start before it")
        seen.add(component.name)
