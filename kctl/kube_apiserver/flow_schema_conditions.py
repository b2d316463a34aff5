"""The condition Dangling of FlowSchemas: whether the priority level they name exists (a part of upstream's API priority and
fairness, which keeps it in the API server). As upstream, it gives way to who has just written a condition of its own, and has
the last word when something else changes."""

from __future__ import annotations

import asyncio
import contextlib

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.watch_cache import Entry

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


async def keep(registry: Registry) -> None:
    """Runs until the storage closes its caches. Begins a moment after the server: no start waits for it, or pays for it."""
    await registry.clock.sleep(DELAY_SECONDS)
    schemas, levels = registry.endpoint(FLOW_SCHEMAS).cache, registry.endpoint(PRIORITY_LEVELS).cache
    watcher = schemas.subscribe(None, "")
    await asyncio.gather(*(_sync(registry, name, lenient=True) for name in sorted(schemas.entries)))
    right: dict[str, tuple[Entry, str, bool]] = {}
    """Those whose condition is as it should be, to the word: nothing is to be done while they and the existence of their level stay."""
    while (batch := await watcher.next()) is not None:
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
