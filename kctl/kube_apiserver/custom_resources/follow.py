"""The way from a server without definitions to one with: costs a task that waits until the first one is created."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kctl.apimachinery.resources import built_in

if TYPE_CHECKING:
    from kctl.kube_apiserver.custom_resources.controller import Definitions
    from kctl.kube_apiserver.registry.registry import Registry
    from kctl.kube_apiserver.watch_cache import Watcher

DEFINITIONS = built_in("apiextensions.k8s.io/v1", "CustomResourceDefinition")


async def start(registry: Registry) -> asyncio.Task[None]:
    """What is defined is served when this returns; the task, which goes on with what changes, runs until the storage closes."""
    cache = registry.storage.cache_of(DEFINITIONS)
    watcher = cache.subscribe(None, "")
    definitions = await _begin(registry) if cache.entries else None
    return asyncio.create_task(_keep(registry, watcher, definitions))


async def _begin(registry: Registry) -> Definitions:
    from kctl.kube_apiserver.custom_resources.controller import Definitions

    definitions = Definitions(registry)
    await definitions.begin()
    return definitions


async def _keep(registry: Registry, watcher: Watcher, definitions: Definitions | None) -> None:
    if definitions is None:
        if await watcher.next() is None:
            return
        definitions = await _begin(registry)
    await definitions.run(watcher)
