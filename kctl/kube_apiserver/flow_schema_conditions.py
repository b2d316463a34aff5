"""The condition Dangling of FlowSchemas: whether the priority level they name exists (a part of upstream's API priority and
fairness, which keeps it in the API server). As upstream, it gives way to who has just written a condition of its own, and has
the last word when something else changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.watch_cache import Change, Entry, Watcher

FLOW_SCHEMAS = built_in("flowcontrol.apiserver.k8s.io/v1", "FlowSchema")
PRIORITY_LEVELS = built_in("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration")
DELAY_SECONDS = 0.05
_CALLER = Caller(APISERVER, "kube-apiserver", body=CANONICAL)


def dangling(schema: Object, level_exists: bool, now: str) -> Object:
    """The condition `schema` should have."""
    name = _level_of(schema)
    found = "and it exists" if level_exists else "but there is no such object"
    return {
        "type": "Dangling",
        "status": "False" if level_exists else "True",
        "lastTransitionTime": now,
        "reason": "Found" if level_exists else "NotFound",
        "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{name}" {found}',
    }


def keep(registry: Registry) -> Coroutine[Any, Any, None]:
    """Runs until the storage closes its caches. Begins a moment after the server, so that no start waits for it or pays for it, but at once
    where somebody writes a FlowSchema."""
    return _keep(registry, registry.endpoint(FLOW_SCHEMAS).cache.subscribe(None, ""))


async def _keep(registry: Registry, watcher: Watcher) -> None:
    stirred, later = asyncio.ensure_future(watcher.next()), asyncio.ensure_future(registry.clock.sleep(DELAY_SECONDS))
    try:
        await asyncio.wait((stirred, later), return_when=asyncio.FIRST_COMPLETED)
        later.cancel()
        await _follow(registry, watcher, stirred)
    finally:
        stirred.cancel()
        later.cancel()


async def _follow(registry: Registry, watcher: Watcher, stirred: asyncio.Future[Sequence[Change] | None]) -> None:
    schemas, levels = registry.endpoint(FLOW_SCHEMAS).cache, registry.endpoint(PRIORITY_LEVELS).cache
    await asyncio.gather(*(_sync(registry, name, lenient=True) for name in sorted(schemas.entries)))
    right: dict[str, tuple[Entry, str, bool]] = {}
    """Those whose condition is as it should be, to the word: nothing is to be done while they and the existence of their level stay."""
    batch = await stirred
    while batch is not None:
        changed = {objects.name(change.entry.object) for change in batch}
        for gone in right.keys() - schemas.entries.keys():
            del right[gone]
        for name in sorted(schemas.entries):
            entry = schemas.entries.get(name)
            known = right.get(name)
            if known is not None and known[0] is entry and known[2] == (known[1] in levels.entries):
                continue
            if await _sync(registry, name, lenient=name in changed) and entry is not None:
                level = _level_of(entry.object)
                right[name] = entry, level, level in levels.entries
        batch = await watcher.next()


def _level_of(schema: Object) -> str:
    return (objects.spec(schema).get("priorityLevelConfiguration") or {}).get("name") or ""


async def _sync(registry: Registry, name: str, *, lenient: bool) -> bool:
    """Whether the condition was right, to the word."""
    schema = registry.get_cached(FLOW_SCHEMAS, "", name)
    if schema is None:
        return False
    exists = registry.get_cached(PRIORITY_LEVELS, "", _level_of(schema)) is not None
    wanted = dangling(schema, exists, "")
    present = objects.condition(schema, "Dangling")
    if present is not None and present.get("status") == wanted["status"]:
        same: bool = present.get("reason") == wanted["reason"] and present.get("message") == wanted["message"]
        if same or lenient:
            return same
    wanted["lastTransitionTime"] = times.rfc3339(registry.clock.now())

    def change(obj: Object) -> Object:
        others = objects.without_condition(objects.status(obj).get("conditions") or (), "Dangling")
        return objects.with_status(obj, conditions=[*others, wanted])

    with contextlib.suppress(ApiError):  # gone, or written again: the next change comes by here
        await registry.endpoint(FLOW_SCHEMAS).write_directly("", name, change, _CALLER)
    return False
