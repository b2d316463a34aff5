"""DELETE: preconditions, grace, finalizers, propagation policy (upstream's rest.BeforeDelete and Store.Delete)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kctl.apimachinery import times
from kctl.apimachinery.objects import Object, deep_copy
from kctl.apimachinery.status import conflict
from kctl.kube_apiserver.admission.plugin import Operation
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.conversion import storage_group
from kctl.kube_apiserver.registry.get import Get
from kctl.kube_apiserver.registry.metadata import FOREGROUND, ORPHAN
from kctl.kube_apiserver.registry.served_resource import ServedResource
from kctl.kube_apiserver.registry.strategy import Context
from kctl.kube_apiserver.watch_cache import Entry


@dataclass(slots=True)
class DeleteOptions:
    """metav1.DeleteOptions, already checked."""

    grace_period_seconds: int | None = None
    propagation_policy: str = ""
    """Background, Foreground, Orphan; '' = the kind's default."""
    uid: str = ""
    resource_version: str = ""


@dataclass(slots=True)
class Deleted:
    """`object` is the last state in the endpoint's version; `gone` tells whether it has left the store."""

    object: Object
    gone: bool


class Delete(Get):
    async def delete(self, namespace: str, name: str, options: DeleteOptions, caller: Caller) -> Deleted:
        """Raises NotFound, Conflict (preconditions), and what admission raises."""
        resource, cache, key, storage = self.resource, self.cache, self.key(namespace, name), self.storage
        context = self.context(namespace, caller)
        operation = Operation("DELETE", resource, namespace, name, "", options)
        if caller.body is not CANONICAL:
            caller.warnings += self.strategy.warnings_on_delete(context, options.propagation_policy)

        async def attempt() -> Deleted:
            entry = self.get(namespace, name)
            _check_preconditions(self, name, entry, options)
            pending = self.shared.admission.admit(context, entry.object, None, operation)
            if pending is not None:
                await pending
            pending = self.shared.admission.validate(context, entry.object, None, operation)
            if pending is not None:
                await pending
            marked, write = _mark(self, context, entry.object, options)
            stays = write is not None
            if caller.dry_run or (stays and not write):
                marked["metadata"]["resourceVersion"] = str(entry.revision)
            elif stays:
                marked = await storage.update(cache, key, marked, entry.revision)
            else:
                revision = await storage.delete(cache, key, entry.revision)
                marked["metadata"]["resourceVersion"] = str(revision)
                self.strategy.after_delete(context, marked)
            return Deleted(self.from_storage(marked), not stays)

        return await self.guaranteed_update.run(resource, cache, key, name, attempt)


def _check_preconditions(served: ServedResource, name: str, entry: Entry, options: DeleteOptions) -> None:
    uid = entry.object["metadata"].get("uid")
    kind, group = served.resource.kind, storage_group(served.resource)[0]
    if options.uid and options.uid != uid and served.strategy.holds_deletion(entry.object):
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {uid}"
        raise conflict(group, served.resource.plural, name, why)
    if options.uid and options.uid != uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(group, kind, name, why)
    if options.resource_version and options.resource_version != str(entry.revision):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion in "
            f"record ({entry.revision}). The object might have been modified"
        )
        raise conflict(group, kind, name, why)


def _mark(served: ServedResource, context: Context, old: Object, options: DeleteOptions) -> tuple[Object, bool | None]:
    """The object as its deletion leaves it, without resourceVersion, and whether it stays: None = gone,
    True = stays and must be stored, False = stays as it is."""
    strategy = served.strategy
    meta = dict(old["metadata"])
    meta.pop("resourceVersion", None)
    before = dict(meta)
    grace = _grace(served, context, old, meta, options)
    finalizers = _finalizers(served, meta, options)
    if finalizers != list(meta.get("finalizers") or ()):
        meta["finalizers"] = finalizers
        if not finalizers:
            del meta["finalizers"]
    obj = {**old, "metadata": meta}
    if strategy.holds_deletion(old):
        meta.pop("deletionGracePeriodSeconds", None)
        obj = deep_copy(obj)
        strategy.mark_deletion(context, obj)
        return obj, meta != before
    if not finalizers and grace == 0:
        return (obj if strategy.graceful else {**old, "metadata": before}), None
    return obj, meta != before


def _grace(served: ServedResource, context: Context, old: Object, meta: dict[str, Any], options: DeleteOptions) -> int:
    """Sets the deletion fields of `meta` (private); the seconds the object may still live."""
    strategy = served.strategy
    wanted = options.grace_period_seconds
    running = meta.get("deletionTimestamp")
    if not running:
        seconds = strategy.deletion_grace_seconds(old, wanted) if strategy.graceful else 0
        meta["deletionTimestamp"] = times.rfc3339(context.now + timedelta(seconds=seconds))
        meta["deletionGracePeriodSeconds"] = seconds
        if meta.get("generation"):
            meta["generation"] += 1
        return seconds
    present = int(meta.get("deletionGracePeriodSeconds") or 0)
    if not strategy.graceful or present == 0:
        return 0
    if wanted is None or wanted >= present:
        return present
    seconds = strategy.deletion_grace_seconds(old, wanted)
    began = times.parse(running) - timedelta(seconds=present)
    meta["deletionTimestamp"] = times.rfc3339(began + timedelta(seconds=seconds))
    meta["deletionGracePeriodSeconds"] = seconds
    return seconds


def _finalizers(served: ServedResource, meta: dict[str, Any], options: DeleteOptions) -> list[str]:
    """deletionFinalizersForGarbageCollection: what the policy adds and takes away."""
    present = list(meta.get("finalizers") or ())
    policy = options.propagation_policy
    if not policy:
        if ORPHAN in present:
            policy = "Orphan"
        elif FOREGROUND in present:
            policy = "Foreground"
        else:
            policy = served.strategy.default_propagation_policy
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    kept = [name for name in present if name not in (ORPHAN, FOREGROUND) or name == wanted]
    return kept if wanted is None or wanted in kept else [*kept, wanted]
