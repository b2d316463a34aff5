"""What apiextensions-apiserver's controllers do, in one loop over changes: names are accepted, a definition is established and served,
one of a protected group is told whether it is approved, one that is deleted takes its objects along.

Definitions are looked at one after the other, so that two never get the same name.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Condition, Object
from kctl.apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.custom_resources import approval, names, status_writes
from kctl.kube_apiserver.custom_resources.definition import CLEANUP_FINALIZER, Definition
from kctl.kube_apiserver.custom_resources.finalizer import Finalizer
from kctl.kube_apiserver.custom_resources.serving import Serving
from kctl.kube_apiserver.registry.registry import Registry

_LOG = logging.getLogger(__name__)
_ESTABLISHED: Condition = {
    "type": "Established",
    "status": "True",
    "reason": "InitialNamesAccepted",
    "message": "the initial names have been accepted",
}
_NOT_ACCEPTED: Condition = {
    "type": "Established",
    "status": "False",
    "reason": "NotAccepted",
    "message": "not all names are accepted",
}


class Definitions:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cache = registry.storage.cache_of(CUSTOM_RESOURCE_DEFINITIONS)
        self._serving = Serving(registry)
        self._finalizer = Finalizer(registry, self._serving)

    async def stop(self) -> None:
        self._finalizer.stop()
        await self._serving.close()

    async def look_at(self, waiting: list[str]) -> None:
        """These definitions, and all others of a group where names have changed."""
        while waiting:
            name = waiting.pop(0)
            try:
                freed = await self._sync(name)
            except ApiError as error:
                _LOG.debug("definition %s: %s", name, error)  # it was written meanwhile, and its change comes by here
                continue
            except Exception:  # one definition must not keep all others from being served
                _LOG.exception("definition %s cannot be served", name)
                continue
            if freed:
                group = name.partition(".")[2]
                waiting += [other for other in self._of_group(group) if other != name and other not in waiting]

    def _of_group(self, group: str) -> Sequence[str]:
        return [name for name, entry in sorted(self._cache.entries.items()) if objects.spec(entry.object).get("group") == group]

    async def _sync(self, name: str) -> bool:
        """Whether names of its group may have become free."""
        entry = self._cache.entries.get(name)
        if entry is None:
            self._serving.end(name)
            return True
        obj = entry.object
        wanted = self._wanted_status(obj)
        if wanted is not None:
            freed = wanted.get("acceptedNames") != objects.status(obj).get("acceptedNames")
            obj = await self._write(name, wanted)
        else:
            freed = False
        await self._serving.serve(Definition(obj))
        if objects.deletion_timestamp(obj) and CLEANUP_FINALIZER in objects.finalizers(obj):
            self._finalizer.begin(Definition(obj))
        return freed

    def _wanted_status(self, obj: Object) -> Object | None:
        """None where it is as it should be."""
        status = objects.status(obj)
        present: list[Condition] = status.get("conditions") or []
        wanted: list[Condition] = []
        accepted = None
        if objects.spec(obj).get("names") != status.get("acceptedNames"):
            resources, kinds = names.taken((entry.object for entry in self._cache.entries.values()), obj["spec"]["group"])
            accepted = names.accept(obj, resources, kinds)
            wanted.append(accepted.condition)
            established = objects.find_condition(present, "Established")
            if established is None or established.get("status") != "True":
                wanted.append(_ESTABLISHED if accepted.condition["status"] == "True" else _NOT_ACCEPTED)
        approved = approval.condition(obj)
        if approved is not None:
            wanted.append(approved)
        now = times.rfc3339(self._registry.clock.now())
        conditions = present
        for condition in wanted:
            if not _is_there(condition, conditions):
                conditions = objects.with_condition(conditions, _at(condition, now))
        new = dict(status)
        if conditions is not present:
            new["conditions"] = conditions
        if accepted is not None and accepted.names != status.get("acceptedNames"):
            new["acceptedNames"] = accepted.names
        return None if new == status else new

    async def _write(self, name: str, status: Object) -> Object:
        def change(obj: Object) -> Object:
            return {**obj, "status": {**objects.status(obj), **status}}

        return await status_writes.write(self._registry, name, change)


def _is_there(condition: Condition, present: Sequence[Condition]) -> bool:
    found = objects.find_condition(present, condition["type"])
    return found is not None and all(found.get(field) == condition[field] for field in ("status", "reason", "message"))


def _at(condition: Condition, now: str) -> Condition:
    return {
        "type": condition["type"],
        "status": condition["status"],
        "lastTransitionTime": now,
        "reason": condition["reason"],
        "message": condition["message"],
    }
