"""Create and update for every kind (upstream's registry/generic/registry/store.go); deletion is in deletion.py.

Order of a create: decode (handlers) -> storage version -> metadata the server sets -> strategy.default -> mutating admission ->
strategy.prepare_for_create -> validation of metadata and by the strategy -> validating admission -> store.
Optimistic concurrency: an update is computed from the cached object and stored only over that revision; where the caller named
no resourceVersion it is computed again until it wins (guaranteed_update.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from kctl.apimachinery import go_numbers
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.field_errors import invalid as invalid_field
from kctl.apimachinery.objects import Object, deep_copy
from kctl.apimachinery.resources import ResourceTable, ResourceType
from kctl.apimachinery.status import (
    MODIFIED,
    ApiError,
    already_exists,
    conflict,
    invalid,
    not_found,
)
from kctl.kube_apiserver.admission.chain import AdmissionChain
from kctl.kube_apiserver.admission.plugin import Operation
from kctl.kube_apiserver.caller import CANONICAL, LARGE, Caller
from kctl.kube_apiserver.registry import catalog, conversion, metadata
from kctl.kube_apiserver.registry.admitted_specs import AdmittedSpecs
from kctl.kube_apiserver.registry.endpoint import Endpoint, ObjectSchema
from kctl.kube_apiserver.registry.guaranteed_update import GuaranteedUpdate, failure
from kctl.kube_apiserver.registry.strategy import Context
from kctl.kube_apiserver.server_parts import ServerParts
from kctl.kube_apiserver.storage import Exists, Stale, Storage, StorageError
from kctl.kube_apiserver.watch_cache import Entry

NAME_RETRIES = 8


class Registry:
    """All served resources. `parts` are what else of the server its handlers and strategies may use."""

    def __init__(
        self,
        storage: Storage,
        admission: AdmissionChain,
        schema_of: Callable[[ResourceType, str], ObjectSchema],
        clock: Clock,
        randomness: random.Random,
        parts: ServerParts,
        table: ResourceTable | None = None,
    ) -> None:
        self.storage = storage
        self.admission = admission
        self.clock = clock
        self.randomness = randomness
        self.guaranteed_update = GuaranteedUpdate()
        self.parts = parts
        self.table = table or ResourceTable()
        self._schema_of = schema_of
        self._endpoints: dict[tuple[str, str, str], Endpoint] = {}
        self._admitted = AdmittedSpecs()

    def endpoint(self, resource: ResourceType) -> Endpoint:
        key = (resource.group, resource.version, resource.plural)
        found = self._endpoints.get(key)
        if found is None:
            found = self._endpoints[key] = self._make_endpoint(resource)
        return found

    def _make_endpoint(self, resource: ResourceType) -> Endpoint:
        group, plural = conversion.storage_group(resource)
        found = conversion.conversion_for(resource)
        preferred = self.table.preferred(group, plural) or resource
        stored = found.storage_api_version if found else preferred.api_version
        cache = self.storage.cache(group, plural, resource.namespaced)
        return Endpoint(resource, cache, partial(catalog.strategy_for, preferred), self._schema_of, found, stored)

    def context(self, endpoint: Endpoint, namespace: str, caller: Caller, subresource: str = "") -> Context:
        return Context(
            endpoint.resource,
            namespace,
            caller.user,
            self.clock.now(),
            self.randomness,
            self.get_cached,
            self.list_cached,
            subresource,
            caller.dry_run,
            self.parts.allocators,
        )

    def get_cached(self, resource: ResourceType, namespace: str, name: str) -> Object | None:
        return self.storage.get_cached(resource, namespace, name)

    def list_cached(self, resource: ResourceType, namespace: str) -> Iterable[Object]:
        return self.storage.list_cached(resource, namespace)

    def entry(self, endpoint: Endpoint, namespace: str, name: str) -> Entry:
        """The stored object now. Raises NotFound."""
        found = endpoint.cache.entries.get(endpoint.key(namespace, name))
        if found is None:
            raise not_found(endpoint.resource.group, endpoint.resource.plural, name)
        return found

    async def create(self, endpoint: Endpoint, namespace: str, obj: Object, caller: Caller) -> Object:
        """Raises AlreadyExists, Invalid, and what admission raises. The object in the endpoint's version."""
        given = obj.get("metadata") or {}
        generated = not given.get("name") and bool(given.get("generateName"))
        given_revision = given.get("resourceVersion") or ""
        for attempt in range(NAME_RETRIES if generated else 1):
            private = await self._prepare_create(endpoint, namespace, obj, caller)
            name = private["metadata"]["name"]
            key = endpoint.key(namespace, name)
            if key in endpoint.cache.entries:
                self._abandon(endpoint, namespace, private, caller)
                if attempt + 1 < NAME_RETRIES and generated:
                    continue
                raise self._already_exists(endpoint, name, generated)
            if caller.dry_run:
                self._abandon(endpoint, namespace, private, caller)
                return endpoint.from_storage(_with_revision(private, given_revision))
            if given_revision:
                self._abandon(endpoint, namespace, private, caller)
                raise ApiError("resourceVersion should not be set on objects to be created", code=500)
            try:
                return endpoint.from_storage(await self.storage.create(endpoint.cache, key, private))
            except Exists:
                self._abandon(endpoint, namespace, private, caller)
                if not generated or attempt + 1 == NAME_RETRIES:
                    raise self._already_exists(endpoint, name, generated) from None
            except StorageError as error:
                self._abandon(endpoint, namespace, private, caller)
                raise failure(endpoint, name, error) from None
        raise AssertionError("unreachable")

    def _already_exists(self, endpoint: Endpoint, name: str, generated: bool) -> ApiError:
        error = already_exists(endpoint.resource.group, endpoint.resource.plural, name)
        if generated:
            error.status["message"] += ", the server was not able to generate a unique name for the object"
        return error

    def _abandon(self, endpoint: Endpoint, namespace: str, obj: Object, caller: Caller) -> None:
        """Give back what preparing a create took (cluster IPs)."""
        endpoint.strategy.after_delete(self.context(endpoint, namespace, caller), obj)

    async def _prepare_create(self, endpoint: Endpoint, namespace: str, obj: Object, caller: Caller) -> Object:
        """The object to be stored: complete, admitted, valid; its metadata dict is new."""
        strategy, resource = endpoint.strategy, endpoint.resource
        source = endpoint.to_storage(obj)
        meta = metadata.strip_generated(source)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = metadata.generate_name(meta["generateName"], self.randomness)
        if resource.namespaced:
            meta["namespace"] = namespace
        context = self.context(endpoint, namespace, caller)
        meta["uid"] = metadata.new_uid(self.randomness)
        meta["creationTimestamp"] = context.now.isoformat()[:19] + "Z"
        if strategy.has_generation:
            meta["generation"] = 1
        operation = Operation("CREATE", resource, namespace, meta.get("name", ""))
        if caller.body is CANONICAL and strategy.shares_admitted_spec:
            return await self._create_from_template(endpoint, context, source, meta, operation, caller)
        return await self._admit_create(endpoint, context, self._private(source, meta, caller), operation, caller)

    def _private(self, source: Object, meta: dict[str, Any], caller: Caller) -> Object:
        if caller.body is not CANONICAL:
            return {**source, "metadata": meta}
        return deep_copy({**source, "metadata": meta})  # type: ignore[no-any-return]

    async def _create_from_template(
        self, endpoint: Endpoint, context: Context, source: Object, meta: dict[str, Any], operation: Operation, caller: Caller
    ) -> Object:
        plural, namespace = endpoint.resource.plural, context.namespace
        state = tuple(self.storage.cache(group, other, True).last_revision for group, other in self.admission.depends_on(operation))
        now = self.clock.monotonic()
        known = self._admitted.find(plural, namespace, source, state, now)
        if known is None:
            private = await self._admit_create(endpoint, context, self._private(source, meta, caller), operation, caller)
            self._admitted.remember(plural, namespace, source, private, state, now)
            return private
        if known.annotations:
            meta["annotations"] = {**(meta.get("annotations") or {}), **known.annotations}
        obj = {**source, "metadata": meta, "spec": known.spec}
        if known.status is not None:
            obj["status"] = known.status
        errors = self._metadata_errors(endpoint, meta)
        if errors:
            raise self._invalid(endpoint, meta.get("name", ""), errors)
        pending = self.admission.validate_each(context, obj, operation)
        if pending is not None:
            await pending
        return obj

    async def _admit_create(self, endpoint: Endpoint, context: Context, obj: Object, operation: Operation, caller: Caller) -> Object:
        strategy, meta = endpoint.strategy, obj["metadata"]
        if caller.sent_much:
            await asyncio.to_thread(strategy.default, context, obj)
        else:
            strategy.default(context, obj)
        pending = self.admission.admit(context, obj, None, operation)
        if pending is not None:
            await pending
        if endpoint.has_status and strategy.reset_status_on_create:
            _reset(obj, endpoint.zero, strategy.status_fields)
        strategy.prepare_for_create(context, obj)
        try:
            if caller.sent_much:
                errors = await asyncio.to_thread(self._create_errors, endpoint, context, obj)
            else:
                errors = self._create_errors(endpoint, context, obj)
            if errors and caller.validates:
                raise self._invalid(endpoint, meta.get("name", ""), errors)
            if caller.body is not CANONICAL:
                caller.warnings += strategy.warnings_on_create(context, obj)
            pending = self.admission.validate(context, obj, None, operation)
            if pending is not None:
                await pending
        except BaseException:  # a request that is given up while others have their turn took something, too
            strategy.after_delete(context, obj)
            raise
        return obj

    def _create_errors(self, endpoint: Endpoint, context: Context, obj: Object) -> list[FieldError]:
        return self._metadata_errors(endpoint, obj["metadata"]) + endpoint.strategy.validate(context, obj)

    def _metadata_errors(self, endpoint: Endpoint, meta: dict[str, Any], *, is_create: bool = True) -> list[FieldError]:
        resource = endpoint.resource
        return metadata.validate(
            meta,
            namespaced=resource.namespaced,
            name_rule=endpoint.strategy.name_validator,
            is_create=is_create,
            known_finalizers=resource.group not in metadata.LOOSE_FINALIZERS,
        )

    def _invalid(self, endpoint: Endpoint, name: str, errors: list[FieldError]) -> ApiError:
        return invalid(endpoint.cache.group, endpoint.resource.kind, name, errors)

    async def update(
        self,
        endpoint: Endpoint,
        namespace: str,
        name: str,
        make: Callable[[Object], Object],
        caller: Caller,
        *,
        subresource: str = "",
        patch: bool = False,
    ) -> Object:
        """Store what `make` makes of the present object (both in the endpoint's version); `make` runs again when
        somebody else wrote in between, unless its result names a resourceVersion (of a `patch` it always does).
        Nothing is written where nothing changes. Raises NotFound, Conflict, Invalid."""

        def of_stored(old: Object) -> Object:
            return endpoint.to_storage(make(endpoint.from_storage(old)))

        async def attempt() -> Object:
            entry = self.entry(endpoint, namespace, name)
            old = entry.object
            beside_loop = caller.sent_much or (caller.body is not CANONICAL and len(entry.item()) >= LARGE)
            made = await asyncio.to_thread(of_stored, old) if beside_loop else of_stored(old)
            pinned = self._check_revision(endpoint, name, made, entry, caller) and not patch
            obj = await self._prepare_update(endpoint, namespace, made, old, caller, subresource, beside_loop)
            if caller.dry_run or _same(obj, old):
                self._settle(endpoint, namespace, caller, obj, old, stored=False)
                obj["metadata"]["resourceVersion"] = str(entry.revision)
                return endpoint.from_storage(obj if caller.dry_run else old)
            try:
                return await self._store_update(endpoint, namespace, obj, entry, caller)
            except StorageError as error:
                self._settle(endpoint, namespace, caller, obj, old, stored=False)
                if pinned and isinstance(error, Stale):
                    raise conflict(endpoint.resource.group, endpoint.resource.plural, name, MODIFIED) from None
                raise

        return await self.guaranteed_update.run(endpoint, namespace, name, attempt)

    async def _store_update(self, endpoint: Endpoint, namespace: str, obj: Object, entry: Entry, caller: Caller) -> Object:
        """Raises StorageError."""
        key = endpoint.key(namespace, entry.object["metadata"]["name"])
        if self._emptied(endpoint, obj):
            revision = await self.storage.delete(endpoint.cache, key, entry.revision)
            obj["metadata"]["resourceVersion"] = str(revision)
            endpoint.strategy.after_delete(self.context(endpoint, namespace, caller), obj)
            return endpoint.from_storage(obj)
        updated = await self.storage.update(endpoint.cache, key, obj, entry.revision)
        self._settle(endpoint, namespace, caller, updated, entry.object, stored=True)
        return endpoint.from_storage(updated)

    def _settle(self, endpoint: Endpoint, namespace: str, caller: Caller, obj: Object, old: Object, *, stored: bool) -> None:
        """Give back what an update no longer needs, or took in vain."""
        if endpoint.strategy.allocates:
            context = self.context(endpoint, namespace, caller)
            (endpoint.strategy.after_update if stored else endpoint.strategy.after_failure)(context, obj, old)

    async def write_directly(
        self, endpoint: Endpoint, namespace: str, name: str, make: Callable[[Object], Object], caller: Caller
    ) -> Object:
        """Store what `make` makes of an object without asking its strategy: for the server's own small changes (binding,
        eviction's condition), which are right by construction."""

        async def attempt() -> Object:
            entry = self.entry(endpoint, namespace, name)
            made = make(entry.object)
            obj = {**made, "metadata": dict(made["metadata"])}
            if caller.dry_run:
                return obj
            del obj["metadata"]["resourceVersion"]
            return await self.storage.update(endpoint.cache, endpoint.key(namespace, name), obj, entry.revision)

        return await self.guaranteed_update.run(endpoint, namespace, name, attempt)

    def _check_revision(self, endpoint: Endpoint, name: str, made: Object, entry: Entry, caller: Caller) -> bool:
        """Whether the request names the revision it is for (which is then the present one)."""
        meta, resource = made.get("metadata") or {}, endpoint.resource
        uid = meta.get("uid")
        present = entry.object["metadata"].get("uid")
        if uid and uid != present:
            raise wrong_uid(resource, entry.object, uid)
        revision = meta.get("resourceVersion") or "0"
        if revision == "0":
            if not endpoint.strategy.allow_unconditional_update:
                why = invalid_field("metadata.resourceVersion", 0, "must be specified for an update")
                raise invalid(resource.group, resource.plural, name, [why])
            return False
        try:
            wanted = go_numbers.parse_uint(revision)
        except go_numbers.GoNumberError as error:
            raise ApiError(str(error), code=500) from None
        if wanted != entry.revision:
            raise conflict(resource.group, resource.plural, name, MODIFIED)
        return True

    async def _prepare_update(
        self, endpoint: Endpoint, namespace: str, made: Object, old: Object, caller: Caller, subresource: str, beside_loop: bool
    ) -> Object:
        """The object to be stored, with a metadata dict of its own and no resourceVersion."""
        strategy, resource = endpoint.strategy, endpoint.resource
        operation = Operation("UPDATE", resource, namespace, old["metadata"]["name"], subresource)
        if caller.body is CANONICAL and subresource == "status" and not self.admission.concerns(operation):
            return _canonical_status(made, old, strategy.status_fields)
        obj = deep_copy(made) if caller.body is CANONICAL else dict(made)
        meta = obj["metadata"] = dict(obj.get("metadata") or {})
        meta.pop("resourceVersion", None)
        old_meta = old["metadata"]
        metadata.prepare_for_update(meta, old_meta)
        context = self.context(endpoint, namespace, caller, subresource)
        _restore(obj, old, endpoint, subresource)
        if beside_loop:
            await asyncio.to_thread(strategy.default, context, obj)
        else:
            strategy.default(context, obj)
        pending = self.admission.admit(context, obj, old, operation)
        if pending is not None:
            await pending
        strategy.prepare_for_update(context, obj, old)
        meta = obj["metadata"]
        counts = strategy.has_generation and subresource != "status"
        if counts and any(obj.get(part) != old.get(part) for part in strategy.generation_fields):
            meta["generation"] = old_meta.get("generation", 0) + 1
        try:
            if beside_loop:
                errors = await asyncio.to_thread(self._update_errors, endpoint, context, obj, old)
            else:
                errors = self._update_errors(endpoint, context, obj, old)
            if errors:
                raise self._invalid(endpoint, old_meta["name"], errors)
        except BaseException:
            self._settle(endpoint, namespace, caller, obj, old, stored=False)
            raise
        if caller.body is not CANONICAL:
            caller.warnings += strategy.warnings_on_update(context, obj, old)
        pending = self.admission.validate(context, obj, old, operation)
        if pending is not None:
            await pending
        return obj

    def _update_errors(self, endpoint: Endpoint, context: Context, obj: Object, old: Object) -> list[FieldError]:
        strategy, meta = endpoint.strategy, obj["metadata"]
        # upstream checks what may not change twice, generically and in most strategies, and reports it twice
        errors = 2 * metadata.validate_update(meta, old["metadata"]) + self._metadata_errors(endpoint, meta, is_create=False)
        if context.subresource == "status":
            return errors + strategy.validate_status_update(context, obj, old)
        return errors + strategy.validate_update(context, obj, old)

    def _emptied(self, endpoint: Endpoint, obj: Object) -> bool:
        """Whether this update takes away the last thing that kept a deleted object."""
        meta = obj["metadata"]
        if not meta.get("deletionTimestamp") or meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
            return False
        return not endpoint.strategy.holds_deletion(obj)


def _with_revision(obj: Object, revision: str) -> Object:
    if not revision:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": revision}}


_STORED_NAMES = {
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "nodes": "minions",
    "ingresses": "ingress",
    "replicationcontrollers": "controllers",
}


def wrong_uid(resource: ResourceType, present: Object, uid: str) -> ApiError:
    """The conflict of a request that names another uid, with the storage key as upstream lays keys out."""
    meta = present["metadata"]
    path = [_STORED_NAMES.get(resource.plural, resource.plural), meta.get("namespace") or "", meta["name"]]
    why = (
        f"StorageError: invalid object, Code: 4, Key: /registry/{'/'.join(filter(None, path))}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.get('uid')}"
    )
    return conflict(resource.group, resource.plural, meta["name"], why)


def _reset(obj: Object, zero: Object, fields: Iterable[str]) -> None:
    for part in fields:
        if part in zero:
            obj[part] = deep_copy(zero[part])
        else:
            obj.pop(part, None)


def _restore(obj: Object, old: Object, endpoint: Endpoint, subresource: str) -> None:
    """Only the part the (sub)resource owns comes from the request."""
    fields = endpoint.strategy.status_fields
    if subresource == "status":
        kept = [part for part in {**old, **obj} if part not in fields and part not in ("metadata", "kind", "apiVersion")]
    elif endpoint.has_status:
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


def _same(obj: Object, old: Object) -> bool:
    """Equal but for resourceVersion, which `obj` does not have."""
    if len(obj) != len(old):
        return False
    for part, value in obj.items():
        if part == "metadata":
            before = old["metadata"]
            if len(value) != len(before) - 1 or any(before.get(k) != v for k, v in value.items()):
                return False
        elif part not in old or (value is not old[part] and value != old[part]):
            return False
    return True
