"""garbage-collector-controller: what has lost all its owners is deleted; owners deleted in the foreground wait for what
blocks them; owners deleted with Orphan let their dependents go first.

One reconcile looks at one object, by uid. Whether an owner is really absent is asked of the server, unless its deletion
was seen: a watch that is late must never delete anything.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from controllers.kube_controller_manager.garbage_collector import ownership
from controllers.kube_controller_manager.garbage_collector.ownership import FOREGROUND, ORPHAN, Ownership
from controllers.runtime.controller import Controller
from controllers.runtime.events import WARNING
from controllers.runtime.manager import ControllerContext, LoopController
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import Conflict, NotFound

log = logging.getLogger(__name__)

_WORKERS = 200

Reference = dict[str, Any]


@dataclass(slots=True)
class _Owners:
    """An object's owner references by what became of the owner. `waiting`: deleted in the foreground."""

    solid: list[Reference] = field(default_factory=list)
    dangling: list[Reference] = field(default_factory=list)
    waiting: list[Reference] = field(default_factory=list)


class GarbageCollector(LoopController):
    name = "garbage-collector-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__()
        self._context = context
        self._client = context.client
        self._recorder = context.recorder(self.name)
        self._loop = Controller(self.name, self, context.clock, workers=_WORKERS)
        self._ownership = Ownership(self._loop.enqueue)
        self._starting: asyncio.Task[None] | None = None
        self.loops.append(self._loop)

    async def start(self) -> None:
        """Its watches fill up in the background: nobody waits for them at start. It acts when it sees every kind."""
        self._starting = asyncio.create_task(self._watch_everything(), name=self.name)

    async def stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        await super().stop()

    async def _watch_everything(self) -> None:
        for resource in ownership.collectable():
            self._ownership.watch(self._context.informers.informer(resource))
            await asyncio.sleep(0)
        await self._context.informers.start()
        self._loop.start()

    async def watch(self, resource: ResourceType) -> None:
        """A kind that came later, of a CustomResourceDefinition."""
        self._ownership.watch(self._context.informers.informer(resource))
        await self._context.informers.start()

    async def reconcile(self, key: str) -> None:
        found = self._ownership.find(key)
        if found is None:
            return
        resource, obj = found
        if ownership.awaits_orphaning(obj):
            await self._orphan_dependents(resource, obj)
        elif ownership.awaits_dependents(obj):
            await self._process_waiting(resource, obj)
        elif not objects.deletion_timestamp(obj) and objects.owner_references(obj):
            await self._process_dependent(resource, obj)

    # ---- an object with owners

    async def _process_dependent(self, resource: ResourceType, obj: Object) -> None:
        owners = await self._classify(obj)
        if owners.solid:
            if owners.dangling or owners.waiting:
                await self._set_owners(resource, obj, owners.solid)
        elif owners.waiting and self._ownership.has_dependents(objects.uid(obj)):
            # Foreground goes down the tree; a cycle must not block itself.
            if any(ownership.awaits_dependents(dependent) for dependent in self._ownership.dependents(objects.uid(obj))):
                kept = [{**reference, "blockOwnerDeletion": False} for reference in objects.owner_references(obj)]
                await self._set_owners(resource, obj, kept)
            await self._delete(resource, obj, "Foreground")
        elif owners.waiting or owners.dangling:
            await self._delete(resource, obj, _policy(obj))

    async def _classify(self, obj: Object) -> _Owners:
        owners = _Owners()
        for reference in objects.owner_references(obj):
            owner = await self._owner(obj, reference)
            if owner is None:
                owners.dangling.append(reference)
            elif ownership.awaits_dependents(owner):
                owners.waiting.append(reference)
            else:
                owners.solid.append(reference)
        return owners

    async def _owner(self, obj: Object, reference: Reference) -> Object | None:
        """None only when it is certain that there is none."""
        uid, space = reference["uid"], objects.namespace(obj)
        found = self._ownership.find(uid)
        if found is not None:
            owner = found[1]
            if objects.namespace(owner) in ("", space) and objects.name(owner) == reference["name"]:
                return owner
            text = f'ownerRef [{_describe(reference, space)}] does not exist in namespace "{space}"'
            self._recorder.event(obj, WARNING, "OwnerRefInvalidNamespace", text)
            return None
        if self._ownership.known_absent(uid):
            return None
        resource = self._ownership.resource_of(reference)
        if resource is None:
            raise LookupError(f"unable to get REST mapping for {reference['apiVersion']}/{reference['kind']}")
        try:
            owner = await self._client.get(resource, reference["name"], space if resource.namespaced else "")
        except NotFound:
            self._ownership.note_absent(uid)
            return None
        if objects.uid(owner) != uid:
            self._ownership.note_absent(uid)
            return None
        return owner

    # ---- an owner on its way out

    async def _process_waiting(self, resource: ResourceType, obj: Object) -> None:
        uid, blocked = objects.uid(obj), False
        for dependent in self._ownership.dependents(uid):
            blocks = any(
                reference["uid"] == uid and reference.get("blockOwnerDeletion") for reference in objects.owner_references(dependent)
            )
            blocked = blocked or blocks
            if not objects.deletion_timestamp(dependent):
                self._loop.enqueue(objects.uid(dependent))
        if not blocked:
            await self._remove_finalizer(resource, obj, FOREGROUND)

    async def _orphan_dependents(self, resource: ResourceType, obj: Object) -> None:
        uid = objects.uid(obj)
        calls = []
        for dependent in self._ownership.dependents(uid):
            found = self._ownership.find(objects.uid(dependent))
            if found is not None:
                kept = [entry for entry in objects.owner_references(dependent) if entry["uid"] != uid]
                calls.append(self._set_owners(found[0], dependent, kept))
        await asyncio.gather(*calls)
        await self._remove_finalizer(resource, obj, ORPHAN)

    # ---- writes

    async def _set_owners(self, resource: ResourceType, obj: Object, references: list[Reference]) -> None:
        meta = {"resourceVersion": objects.resource_version(obj), "ownerReferences": references or None}
        await self._patch_metadata(resource, obj, meta)

    async def _remove_finalizer(self, resource: ResourceType, obj: Object, finalizer: str) -> None:
        left = [entry for entry in objects.finalizers(obj) if entry != finalizer]
        meta = {"resourceVersion": objects.resource_version(obj), "finalizers": left or None}
        await self._patch_metadata(resource, obj, meta)

    async def _patch_metadata(self, resource: ResourceType, obj: Object, meta: dict[str, Any]) -> None:
        """Refused with a conflict when the object moved on; the loop looks again."""
        meta["uid"] = objects.uid(obj)
        try:
            await self._client.patch(resource, objects.name(obj), {"metadata": meta}, objects.namespace(obj))
        except NotFound:
            log.debug("%s %s is gone already", resource.group_resource, objects.key(obj))

    async def _delete(self, resource: ResourceType, obj: Object, policy: str) -> None:
        name, space, uid = objects.name(obj), objects.namespace(obj), objects.uid(obj)
        try:
            await self._client.delete(resource, name, space, uid=uid, propagation_policy=policy)
        except NotFound:
            return
        except Conflict:
            # Another object of that name by now (the uid differs): its own owners decide about it.
            log.debug("%s %s was replaced", resource.group_resource, objects.key(obj))


def _policy(obj: Object) -> str:
    """A finalizer that is there already says how the object itself wants to go."""
    finalizers = objects.finalizers(obj)
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"


def _describe(reference: Reference, namespace: str) -> str:
    return f"{reference['apiVersion']}/{reference['kind']}, namespace: {namespace}, name: {reference['name']}, uid: {reference['uid']}"
