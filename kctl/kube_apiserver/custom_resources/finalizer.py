"""Deleting a definition: its objects are deleted as by anybody, their finalizers respected, and when none is left the definition goes
(upstream's CRDFinalizer)."""

from __future__ import annotations

import asyncio
import logging

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Condition, Object
from kctl.apimachinery.status import ApiError, NotFound
from kctl.kube_apiserver.custom_resources import status_writes
from kctl.kube_apiserver.custom_resources.definition import CLEANUP_FINALIZER, Definition
from kctl.kube_apiserver.custom_resources.serving import Serving
from kctl.kube_apiserver.registry.delete import DeleteOptions
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.registry import Registry

_LOG = logging.getLogger(__name__)
_AT_ONCE = 200


def _terminating(status: str, reason: str, message: str) -> Condition:
    return {"type": "Terminating", "status": status, "reason": reason, "message": message}


_BEGUN = _terminating("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
_DONE = _terminating("False", "InstanceDeletionCompleted", "removed all instances")
_NEVER = _terminating("False", "NeverEstablished", "resource was never established")


class Finalizer:
    """One task for each definition that is being deleted."""

    def __init__(self, registry: Registry, serving: Serving) -> None:
        self._registry = registry
        self._serving = serving
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, definition: Definition) -> None:
        """Idempotent."""
        task = self._tasks.get(definition.name)
        if task is None or task.done():
            self._tasks[definition.name] = asyncio.create_task(self._finalize(definition))

    def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _finalize(self, definition: Definition) -> None:
        try:
            await self._remove(definition)
        except NotFound:
            pass
        except ApiError as error:
            _LOG.error("the objects of definition %s cannot be removed: %s", definition.name, error)
        finally:
            self._tasks.pop(definition.name, None)

    async def _remove(self, definition: Definition) -> None:
        last = _DONE
        if definition.served:
            endpoint = self._serving.stored(definition.name)
            if endpoint is not None and endpoint.cache.entries:
                await self._set(definition.name, _BEGUN)
                await self._remove_objects(endpoint)
        else:
            last = _NEVER
        await self._let_go(definition.name, last)

    async def _remove_objects(self, endpoint: Endpoint) -> None:
        """Until there is none, whoever creates or keeps them meanwhile."""
        cache = endpoint.cache
        watcher = cache.subscribe(None, "")
        try:
            while True:
                waiting = [entry.object["metadata"] for entry in cache.unordered() if not objects.deletion_timestamp(entry.object)]
                for start in range(0, len(waiting), _AT_ONCE):
                    await asyncio.gather(*(self._delete(endpoint, meta) for meta in waiting[start : start + _AT_ONCE]))
                if not cache.entries or await watcher.next() is None:
                    return
        finally:
            watcher.close()

    async def _delete(self, endpoint: Endpoint, meta: Object) -> None:
        try:
            await endpoint.delete(meta.get("namespace", ""), meta["name"], DeleteOptions(), status_writes.CALLER)
        except NotFound:
            return

    async def _set(self, name: str, condition: Condition) -> None:
        def change(obj: Object) -> Object:
            return self._with(obj, condition)

        await status_writes.write(self._registry, name, change)

    async def _let_go(self, name: str, condition: Condition) -> None:
        def change(obj: Object) -> Object:
            kept = [finalizer for finalizer in objects.finalizers(obj) if finalizer != CLEANUP_FINALIZER]
            return objects.with_metadata(self._with(obj, condition), finalizers=kept or None)

        await status_writes.write(self._registry, name, change)

    def _with(self, obj: Object, condition: Condition) -> Object:
        present = objects.status(obj).get("conditions") or []
        dated = {
            "type": condition["type"],
            "status": condition["status"],
            "lastTransitionTime": times.rfc3339(self._registry.clock.now()),
            "reason": condition["reason"],
            "message": condition["message"],
        }
        return objects.with_status(obj, conditions=objects.with_condition(present, dated))
