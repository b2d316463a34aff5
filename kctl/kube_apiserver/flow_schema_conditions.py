"""The condition Dangling of FlowSchemas: whether the priority level they name exists (a part of upstream's API priority and
fairness, which keeps it in the API server). As upstream, it gives way to who has just written a condition of its own, and has
the last word when something else changes."""

from __future__ import annotations

import asyncio

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.generic import Registry

FLOW_SCHEMAS = built_in("flowcontrol.apiserver.k8s.io/v1", "FlowSchema")
PRIORITY_LEVELS = built_in("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration")
_CALLER = Caller(APISERVER, body=CANONICAL)


def dangling(schema: Object, level_exists: bool, now: str) -> Object:
    """The condition `schema` should have."""
    name = (objects.spec(schema).get("priorityLevelConfiguration") or {}).get("name") or ""
    found = "and it exists" if level_exists else "but there is no such object"
    return {
        "type": "Dangling",
        "status": "False" if level_exists else "True",
        "lastTransitionTime": now,
        "reason": "Found" if level_exists else "NotFound",
        "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{name}" {found}',
    }


async def keep(registry: Registry) -> None:
    """Runs until the storage closes its caches."""
    schemas = registry.endpoint(FLOW_SCHEMAS)
    watcher = schemas.cache.subscribe(None, "")
    await asyncio.gather(*(_sync(registry, name, lenient=True) for name in sorted(schemas.cache.entries)))
    while (batch := await watcher.next()) is not None:
        changed = {objects.name(change.entry.object) for change in batch}
        for name in sorted(schemas.cache.entries):
            await _sync(registry, name, lenient=name in changed)


async def _sync(registry: Registry, name: str, *, lenient: bool) -> None:
    schema = registry.get_cached(FLOW_SCHEMAS, "", name)
    if schema is None:
        return
    level = (objects.spec(schema).get("priorityLevelConfiguration") or {}).get("name") or ""
    exists = registry.get_cached(PRIORITY_LEVELS, "", level) is not None
    wanted = dangling(schema, exists, "")
    present = objects.condition(schema, "Dangling")
    compared = ("status",) if lenient else ("status", "reason", "message")
    if present is not None and all(present.get(field) == wanted[field] for field in compared):
        return
    wanted["lastTransitionTime"] = times.rfc3339(registry.clock.now())

    def change(obj: Object) -> Object:
        others = [entry for entry in objects.status(obj).get("conditions") or () if entry.get("type") != "Dangling"]
        return objects.with_status(obj, conditions=[*others, wanted])

    try:
        await registry.write_directly(registry.endpoint(FLOW_SCHEMAS), "", name, change, _CALLER)
    except ApiError:
        return  # gone, or written again: the next change comes by here
