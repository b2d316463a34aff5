"""UPDATE, and PATCH, which is an update that computes the new object from the present one (upstream's Store.Update).

Optimistic concurrency: an update is computed from the cached object and stored only over that revision; where the caller named
no resourceVersion it is computed again until it wins (guaranteed_update.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from kctl.apimachinery import go_numbers
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.field_errors import invalid as invalid_field
from kctl.apimachinery.field_ownership.managed_fields import FIELD
from kctl.apimachinery.objects import Object, deep_copy
from kctl.apimachinery.status import MODIFIED, ApiError, NotFound, conflict, invalid
from kctl.kube_apiserver.admission.plugin import Operation
from kctl.kube_apiserver.caller import CANONICAL, LARGE, Caller
from kctl.kube_apiserver.registry import metadata, ownership
from kctl.kube_apiserver.registry.create import Create
from kctl.kube_apiserver.registry.get import Get
from kctl.kube_apiserver.registry.preconditions import wrong_uid
from kctl.kube_apiserver.registry.served_resource import ServedResource
from kctl.kube_apiserver.registry.strategy import Context, Lengthy, Strategy
from kctl.kube_apiserver.storage import Stale, StorageError
from kctl.kube_apiserver.watch_cache import Entry


class Update(Create, Get):
    async def update(
        self,
        namespace: str,
        name: str,
        make: Callable[[Object], Object],
        caller: Caller,
        *,
        subresource: str = "",
        patch: bool = False,
        create: Callable[[], Object] | None = None,
    ) -> tuple[Object, bool]:
        """Store what `make` makes of the present object (both in the endpoint's version); `make` runs again when
        somebody else wrote in between, unless its result names a resourceVersion (of a `patch` it always does).
        Nothing is written where nothing changes. Where there is no such object, what `create` gives is created, if that is given.
        The object, and whether it was created. Raises NotFound, Conflict, Invalid."""

        status_alone = caller.body is CANONICAL and subresource == "status"
        plain = caller.body is CANONICAL and not subresource

        def of_stored(old: Object) -> Object:
            return self.to_storage(make(self.from_storage(old)))

        async def attempt() -> Object:
            entry = self.get(namespace, name)
            old = entry.object
            beside_loop = caller.sent_much or (caller.body is not CANONICAL and len(entry.item()) >= LARGE)
            made = await asyncio.to_thread(of_stored, old) if beside_loop else of_stored(old)
            pinned = self._check_revision(name, made, entry, caller) and not patch
            if status_alone and not self.shared.admission.concerns(Operation("UPDATE", self.resource, namespace, name, subresource)):
                obj = _canonical_status(made, old, self.strategy.status_fields)
                ownership.own_update(self, obj, old, caller, subresource, self.stamp(), part=_part_alone(obj, old, self.strategy))
            elif plain and _changes_finalizers_alone(made, old) and self._shares_parts(namespace, name):
                obj = self._prepare_finalizers(made, old, caller)
            else:
                obj = await self._prepare_update(namespace, made, old, caller, subresource, beside_loop)
            if caller.dry_run or (_same if caller.body is CANONICAL else _changes_nothing)(obj, old):
                self._settle(namespace, caller, obj, old, stored=False)
                obj["metadata"]["resourceVersion"] = str(entry.revision)
                return self.from_storage(obj if caller.dry_run else old)
            try:
                return await self._store_update(namespace, obj, entry, caller)
            except StorageError as error:
                self._settle(namespace, caller, obj, old, stored=False)
                if pinned and isinstance(error, Stale):
                    raise conflict(self.resource.group, self.resource.plural, name, MODIFIED) from None
                raise

        key = self.key(namespace, name)
        try:
            return await self.guaranteed_update.run(self.resource, self.cache, key, name, attempt), False
        except NotFound:
            if create is None or subresource or key in self.cache.entries:
                raise
            return await self.create(namespace, create(), caller), True

    async def _store_update(self, namespace: str, obj: Object, entry: Entry, caller: Caller) -> Object:
        """Raises StorageError."""
        key = self.key(namespace, entry.object["metadata"]["name"])
        if self._emptied(obj):
            revision = await self.storage.delete(self.cache, key, entry.revision)
            obj["metadata"]["resourceVersion"] = str(revision)
            self.strategy.after_delete(self.context(namespace, caller), obj)
            return self.from_storage(obj)
        updated = await self.storage.update(self.cache, key, obj, entry.revision)
        self._settle(namespace, caller, updated, entry.object, stored=True)
        return self.from_storage(updated)

    def _settle(self, namespace: str, caller: Caller, obj: Object, old: Object, *, stored: bool) -> None:
        """Give back what an update no longer needs, or took in vain."""
        if self.strategy.allocates:
            context = self.context(namespace, caller)
            (self.strategy.after_update if stored else self.strategy.after_failure)(context, obj, old)

    async def write_directly(self, namespace: str, name: str, make: Callable[[Object], Object], caller: Caller) -> Object:
        """Store what `make` makes of an object without asking its strategy: for the server's own small changes (binding,
        eviction's condition), which are right by construction."""

        async def attempt() -> Object:
            entry = self.get(namespace, name)
            made = make(entry.object)
            obj = {**made, "metadata": dict(made["metadata"])}
            if caller.dry_run:
                return obj
            del obj["metadata"]["resourceVersion"]
            if self._emptied(obj):
                await self.storage.delete(self.cache, self.key(namespace, name), entry.revision)
                return obj
            return await self.storage.update(self.cache, self.key(namespace, name), obj, entry.revision)

        return await self.guaranteed_update.run(self.resource, self.cache, self.key(namespace, name), name, attempt)

    def _check_revision(self, name: str, made: Object, entry: Entry, caller: Caller) -> bool:
        """Whether the request names the revision it is for (which is then the present one)."""
        meta, resource = made.get("metadata") or {}, self.resource
        uid = meta.get("uid")
        present = entry.object["metadata"].get("uid")
        if uid and uid != present:
            raise wrong_uid(resource, entry.object, uid)
        revision = meta.get("resourceVersion") or "0"
        if revision == "0":
            if not self.strategy.allow_unconditional_update:
                why = invalid_field("metadata.resourceVersion", 0, "must be specified for an update")
                raise invalid(resource.group, resource.plural, name, [why])
            return False
        if revision == str(entry.revision):
            return True
        try:
            wanted = go_numbers.parse_uint(revision)
        except go_numbers.GoNumberError as error:
            raise ApiError(str(error), code=500) from None
        if wanted != entry.revision:
            raise conflict(resource.group, resource.plural, name, MODIFIED)
        return True

    async def _prepare_update(
        self, namespace: str, made: Object, old: Object, caller: Caller, subresource: str, beside_loop: bool
    ) -> Object:
        """The object to be stored, with a metadata dict of its own and no resourceVersion."""
        strategy, resource = self.strategy, self.resource
        operation = Operation("UPDATE", resource, namespace, old["metadata"]["name"], subresource)
        changes = strategy.changes_on_update or self.shared.admission.changes_objects(operation)
        obj = deep_copy(made) if changes and caller.body is CANONICAL else dict(made)
        meta = obj["metadata"] = dict(obj.get("metadata") or {})
        meta.pop("resourceVersion", None)
        old_meta = old["metadata"]
        metadata.prepare_for_update(meta, old_meta)
        context = self.context(namespace, caller, subresource)
        _restore(obj, old, self, subresource)
        if beside_loop:
            await asyncio.to_thread(self._default_and_own_change, context, obj, old, caller)
        else:
            strategy.default(context, obj)
            ownership.own_update(self, obj, old, caller, subresource, context.now.isoformat()[:19] + "Z")
        pending = self.shared.admission.admit(context, obj, old, operation)
        if pending is not None:
            await pending
        if strategy.needs_permission:
            strategy.check_permission(context, obj, old)
        strategy.prepare_for_update(context, obj, old)
        meta = obj["metadata"]
        counts = strategy.has_generation and subresource != "status"
        if counts and any(obj.get(part) != old.get(part) for part in strategy.generation_fields):
            meta["generation"] = old_meta.get("generation", 0) + 1
        try:
            context.beside_loop = beside_loop
            try:
                refusal = None if context.beside_loop else self._update_refusal(context, obj, old)
            except Lengthy:
                context.beside_loop = True
            if context.beside_loop:
                refusal = await self.clock.beside(partial(self._update_refusal, context, obj, old))
            if refusal is not None:
                raise refusal
            if caller.body is not CANONICAL:
                if context.beside_loop:
                    caller.warnings += await self.clock.beside(partial(strategy.warnings_on_update, context, obj, old))
                else:
                    caller.warnings += strategy.warnings_on_update(context, obj, old)
            pending = self.shared.admission.validate(context, obj, old, operation)
            if pending is not None:
                await pending
        except BaseException:  # as of a create
            self._settle(namespace, caller, obj, old, stored=False)
            raise
        return obj

    def _shares_parts(self, namespace: str, name: str) -> bool:
        """Whether neither the strategy nor admission has anything to do with an update that leaves all but the finalizers as it is."""
        strategy = self.strategy
        if self.converts or strategy.needs_permission or strategy.allocates or strategy.annotates:
            return False
        return not self.shared.admission.concerns_finalizers(Operation("UPDATE", self.resource, namespace, name))

    def _prepare_finalizers(self, made: Object, old: Object, caller: Caller) -> Object:
        """As `_prepare_update`, for a component that adds or removes finalizers, as thousands of pods of a Job have it done: all else is
        the stored object's, which is defaulted and valid, so it is neither copied nor looked at again."""
        meta, before = dict(made["metadata"]), old["metadata"]
        del meta["resourceVersion"]
        obj = {**old, "metadata": meta}
        ownership.own_update(self, obj, old, caller, "", self.stamp())
        errors = 2 * metadata.validate_update(meta, before) + self.metadata_errors(meta, is_create=False)
        if errors:
            raise self.invalid(before["name"], errors)
        return obj

    def _default_and_own_change(self, context: Context, obj: Object, old: Object, caller: Caller) -> None:
        self.strategy.default(context, obj)
        ownership.own_update(self, obj, old, caller, context.subresource, context.now.isoformat()[:19] + "Z", apart=True)

    def _update_refusal(self, context: Context, obj: Object, old: Object) -> ApiError | None:
        errors = self._update_errors(context, obj, old)
        return self.invalid(old["metadata"]["name"], errors) if errors else None

    def _update_errors(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        strategy, meta = self.strategy, obj["metadata"]
        # upstream checks what may not change twice, generically and in most strategies, and reports it twice
        errors = 2 * metadata.validate_update(meta, old["metadata"]) + self.metadata_errors(meta, is_create=False)
        if context.subresource == "status":
            return errors + strategy.validate_status_update(context, obj, old)
        return errors + strategy.validate_update(context, obj, old)

    def _emptied(self, obj: Object) -> bool:
        """Whether this update takes away the last thing that kept a deleted object."""
        meta = obj["metadata"]
        if not meta.get("deletionTimestamp") or meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
            return False
        return not self.strategy.holds_deletion(obj)


def _restore(obj: Object, old: Object, resource: ServedResource, subresource: str) -> None:
    """Only the part the (sub)resource owns comes from the request. Of the others, which are no part of their own but some fields, the way
    in has taken care (subresources/parts.py); an approval's are in the status, of which the strategy takes care."""
    fields = resource.strategy.status_fields
    if subresource == "status":
        kept = [part for part in {**old, **obj} if part not in fields and part not in ("metadata", "kind", "apiVersion")]
    elif resource.has_status and subresource != "approval":
        kept = list(fields)
    else:
        return
    for part in kept:
        if part in old:
            obj[part] = deep_copy(old[part])
        else:
            obj.pop(part, None)


def _canonical_status(made: Object, old: Object, fields: Iterable[str]) -> Object:
    """The status of a canonical object that no admission plugin has an interest in: shared, not copied; everything but the status
    is the stored object's."""
    obj = {**old, "metadata": dict(old["metadata"])}
    meta, given = obj["metadata"], made["metadata"]
    del meta["resourceVersion"]
    for part in ("labels", "annotations"):
        if given.get(part) != meta.get(part) and part in given:
            meta[part] = given[part]
    for part in fields:
        if part in made:
            obj[part] = made[part]
        else:
            obj.pop(part, None)
    return obj


def _part_alone(obj: Object, old: Object, strategy: Strategy) -> str:
    """The only field that an update of the status can have changed; '' where there may be others."""
    meta, before = obj["metadata"], old["metadata"]
    if strategy.annotates or strategy.status_fields != ("status",):
        return ""
    shared = meta.get("labels") is before.get("labels") and meta.get("annotations") is before.get("annotations")
    return "status" if shared else ""


def _changes_finalizers_alone(made: Object, old: Object) -> bool:
    """Whether all but metadata.finalizers is the stored object's, and the very same: what is equal but not shared need not be looked at."""
    if len(made) != len(old):
        return False
    for part, value in made.items():
        if part != "metadata" and (part not in old or value is not old[part]):
            return False
    meta, before = made["metadata"], old["metadata"]
    for field, given in meta.items():
        if field != "finalizers" and (field not in before or (given is not before[field] and given != before[field])):
            return False
    return all(field in meta or field == "finalizers" for field in before)


def _changes_nothing(obj: Object, old: Object) -> bool:
    """Whether there is nothing to write; times of managedFields alone are not."""
    new = obj["metadata"].get(FIELD)
    if not ownership.keep_times(obj, old):
        return _same(obj, old)
    if _same(obj, old):
        return True
    obj["metadata"][FIELD] = new
    return False


def _same(obj: Object, old: Object) -> bool:
    """Equal but for resourceVersion, which `obj` does not have."""
    if len(obj) != len(old):
        return False
    for part, value in obj.items():
        if part == "metadata":
            before = old["metadata"]
            if len(value) != len(before) - 1:
                return False
            for field, given in value.items():
                if field not in before or before[field] != given:
                    return False
        elif part not in old or (value is not old[part] and value != old[part]):
            return False
    return True
