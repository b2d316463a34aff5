"""garbage-collector-controller: what has lost all its owners is deleted; owners deleted in the foreground wait for what
blocks them; owners deleted with Orphan let their dependents go first.

One reconcile looks at one object, by uid. Whether an owner is really absent is asked of the server, unless its deletion
was seen: a watch that is late must never delete anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from controllers.kube_controller_manager.garbage_collector import ownership
from controllers.kube_controller_manager.garbage_collector.ownership import FOREGROUND, ORPHAN, Ownership
from controllers.runtime.events import WARNING
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.on_demand import AFTER_START_SECONDS
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import Source, Watches
from kctl.apimachinery import objects
from kctl.apimachinery.clock import timeout
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in
from kctl.apimachinery.status import ApiError, Conflict, NotFound
from kctl.client.discovery import discover
from kctl.client.errors import ConnectionFailed

log = logging.getLogger(__name__)

_CUSTOM_RESOURCE_DEFINITIONS = built_in("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_API_SERVICES = built_in("apiregistration.k8s.io/v1", "APIService")
_KINDS = "kinds"
_DISCOVERY_SECONDS = 30.0
_RETRY_SECONDS = 1.0
_SYNC_SECONDS = 30.0

Reference = dict[str, Any]


@dataclass(slots=True)
class _Owners:
    """An object's owner references by what became of the owner. `waiting`: deleted in the foreground."""

    solid: list[Reference] = field(default_factory=list)
    dangling: list[Reference] = field(default_factory=list)
    waiting: list[Reference] = field(default_factory=list)


class GarbageCollector(LoopController):
    """Keys are uids of objects, and `kinds` for what there is to watch."""

    name = "garbage-collector-controller"
    workers = 200

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._recorder = context.recorder(self.name)
        self._ownership = Ownership(self.loop.enqueue)
        self._served: list[ResourceType] = []
        """What discovery told last."""
        self._starting: asyncio.Task[None] | None = None

    def wakes(self) -> Sequence[Source]:
        """Every kind that can be deleted (ownership.py follows them), and what brings new kinds."""
        return (
            Watches(_CUSTOM_RESOURCE_DEFINITIONS, to=lambda _: (_KINDS,)),
            Watches(_API_SERVICES, to=lambda _: (_KINDS,)),
        )

    def prepare(self) -> None:
        """Nothing: its watches fill up in the background, and nobody waits for them at start."""

    async def start(self) -> None:
        """It acts when it sees every kind."""
        self._starting = asyncio.create_task(self._watch_everything(), name=self.name)

    async def stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        await super().stop()

    async def _watch_everything(self) -> None:
        await self.context.clock.sleep(AFTER_START_SECONDS)  # no start waits for it, or pays for it
        while True:
            try:
                for resource in ownership.collectable(await discover(self._client.transport)):
                    self._ownership.watch(self.context.informers.informer(resource))
                    await asyncio.sleep(0)
                break
            except (ApiError, ConnectionFailed) as error:
                log.warning("discovery: %s", error)
                await self.context.clock.sleep(_RETRY_SECONDS)
        await self._wait_for_watches()
        await super().start()
        self.loop.enqueue_after(_KINDS, _DISCOVERY_SECONDS)

    async def _wait_for_watches(self) -> None:
        """Some time only: one kind that cannot be watched must not keep the others from being collected."""
        informers = [self.context.informers.informer(resource) for resource in self._ownership.watched()]
        for informer in informers:
            informer.start()
        with contextlib.suppress(TimeoutError):
            async with timeout(self.context.clock, _SYNC_SECONDS):
                for informer in informers:
                    await informer.wait_for_sync()

    async def _follow_kinds(self) -> None:
        """Kinds come and go with their definitions. A new one's watch fills by itself; a broken one must not hold up the rest."""
        types = await discover(self._client.transport)
        if types == self._served:
            return
        served = ownership.collectable(types)
        for resource in self._ownership.watched():
            if resource not in served:
                self._ownership.forget(resource)
                await self.context.informers.remove(resource)
        for resource in served:
            informer = self.context.informers.informer(resource)
            self._ownership.watch(informer)
            informer.start()
        self._served = types

    async def reconcile(self, key: str) -> Result | None:
        if key == _KINDS:
            await self._follow_kinds()
            return Result(requeue_after=_DISCOVERY_SECONDS)
        await self._collect(key)
        return None

    async def _collect(self, key: str) -> None:
        owned = self._ownership.find(key)
        if owned is None:
            return
        resource, obj = owned
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
        known = self._ownership.find(uid)
        if known is not None:
            owner = known[1]
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
                self.loop.enqueue(objects.uid(dependent))
        if not blocked:
            await self._remove_finalizer(resource, obj, FOREGROUND)

    async def _orphan_dependents(self, resource: ResourceType, obj: Object) -> None:
        uid = objects.uid(obj)
        calls = []
        for dependent in self._ownership.dependents(uid):
            known = self._ownership.find(objects.uid(dependent))
            if known is not None:
                kept = [reference for reference in objects.owner_references(dependent) if reference["uid"] != uid]
                calls.append(self._set_owners(known[0], dependent, kept))
        await asyncio.gather(*calls)
        await self._remove_finalizer(resource, obj, ORPHAN)

    # ---- writes

    async def _set_owners(self, resource: ResourceType, obj: Object, references: list[Reference]) -> None:
        meta = {"resourceVersion": objects.resource_version(obj), "ownerReferences": references or None}
        await self._patch_metadata(resource, obj, meta)

    async def _remove_finalizer(self, resource: ResourceType, obj: Object, finalizer: str) -> None:
        left = [name for name in objects.finalizers(obj) if name != finalizer]
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
