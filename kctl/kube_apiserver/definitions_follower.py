"""The way from a server without definitions to one with: costs a task that waits until the first one is created."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from kctl.apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS

if TYPE_CHECKING:
    from kctl.kube_apiserver.custom_resources.controller import Definitions
    from kctl.kube_apiserver.registry.registry import Registry


class Follower:
    """Has each change of a definition looked at. Whoever writes one is answered afterwards: a client that goes on at once finds it served,
    or told why not."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cache = registry.storage.cache_of(CUSTOM_RESOURCE_DEFINITIONS)
        self._watcher = self._cache.subscribe(None, "")
        self._definitions: Definitions | None = None
        self._seen = self._cache.last_revision
        self._progress = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """What is defined is served when this returns."""
        if self._cache.entries:
            await self._look_at(sorted(self._cache.entries), self._seen)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """After the storage has closed its caches."""
        if self._task is not None:
            await self._task
        if self._definitions is not None:
            await self._definitions.stop()

    async def caught_up(self) -> None:
        wanted = self._cache.last_revision
        while self._seen < wanted and self._task is not None and not self._task.done():
            await self._progress.wait()

    async def _run(self) -> None:
        try:
            while (batch := await self._watcher.next()) is not None:
                await self._look_at(list(dict.fromkeys(change.key for change in batch)), batch[-1].entry.revision)
        finally:
            self._progress.set()

    async def _look_at(self, names: list[str], revision: int) -> None:
        if self._definitions is None:
            # beside the loop: who creates the first definition must not hold up everybody
            module = await self._registry.clock.beside(partial(import_module, "kctl.kube_apiserver.custom_resources.controller"))
            self._definitions = module.Definitions(self._registry)
        await self._definitions.look_at(names)
        self._seen = max(self._seen, revision)
        progress, self._progress = self._progress, asyncio.Event()
        progress.set()
