"""CREATE (upstream's Store.Create).

Order: decode (handlers) -> storage version -> metadata the server sets -> strategy.default -> mutating admission ->
strategy.prepare_for_create -> validation of metadata and by the strategy -> validating admission -> store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any

from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.field_ownership.managed_fields import FIELD, ManagedFields
from kctl.apimachinery.objects import Object, deep_copy
from kctl.apimachinery.status import ApiError, already_exists
from kctl.kube_apiserver.admission.plugin import Operation
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry import metadata, ownership
from kctl.kube_apiserver.registry.admitted_specs import AdmittedSpec
from kctl.kube_apiserver.registry.guaranteed_update import failure
from kctl.kube_apiserver.registry.served_resource import ServedResource
from kctl.kube_apiserver.registry.strategy import Context, Lengthy
from kctl.kube_apiserver.storage import Exists, StorageError

NAME_RETRIES = 8


class Create(ServedResource):
    async def create(self, namespace: str, obj: Object, caller: Caller) -> Object:
        """Raises AlreadyExists, Invalid, and what admission raises. The object in the endpoint's version."""
        given = obj.get("metadata") or {}
        generated = not given.get("name") and bool(given.get("generateName"))
        given_revision = given.get("resourceVersion") or ""
        for attempt in range(NAME_RETRIES if generated else 1):
            private = await self._prepare_create(namespace, obj, caller)
            name = private["metadata"]["name"]
            key = self.key(namespace, name)
            if key in self.cache.entries:
                self._abandon(namespace, private, caller)
                if attempt + 1 < NAME_RETRIES and generated:
                    continue
                raise self._already_exists(name, generated)
            if caller.dry_run:
                self._abandon(namespace, private, caller)
                return self.from_storage(_with_revision(private, given_revision))
            if given_revision:
                self._abandon(namespace, private, caller)
                raise ApiError("resourceVersion should not be set on objects to be created", code=500)
            try:
                return self.from_storage(await self.storage.create(self.cache, key, private))
            except Exists:
                self._abandon(namespace, private, caller)
                if not generated or attempt + 1 == NAME_RETRIES:
                    raise self._already_exists(name, generated) from None
            except StorageError as error:
                self._abandon(namespace, private, caller)
                raise failure(self.resource, name, error) from None
        raise AssertionError("unreachable")

    def _already_exists(self, name: str, generated: bool) -> ApiError:
        error = already_exists(self.resource.group, self.resource.plural, name)
        if generated:
            error.status["message"] += ", the server was not able to generate a unique name for the object"
        return error

    def _abandon(self, namespace: str, obj: Object, caller: Caller) -> None:
        """Give back what preparing a create took (cluster IPs)."""
        self.strategy.after_delete(self.context(namespace, caller), obj)

    def _prepare_create(self, namespace: str, obj: Object, caller: Caller) -> Awaitable[Object]:
        """The object to be stored: complete, admitted, valid; its metadata dict is new."""
        strategy, resource = self.strategy, self.resource
        source = self.to_storage(obj)
        meta = metadata.strip_generated(source)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = metadata.generate_name(meta["generateName"], self.randomness)
        if resource.namespaced:
            meta["namespace"] = namespace
        context = self.context(namespace, caller)
        meta["uid"] = metadata.new_uid(self.randomness)
        meta["creationTimestamp"] = context.now.isoformat()[:19] + "Z"
        if strategy.has_generation:
            meta["generation"] = 1
        operation = Operation("CREATE", resource, namespace, meta.get("name", ""))
        if caller.body is CANONICAL and strategy.shares_admitted_spec:
            return self._create_from_template(context, source, meta, operation, caller)
        return self._admit_create(context, self._private(source, meta, operation, caller), operation, caller)

    def _private(self, source: Object, meta: dict[str, Any], operation: Operation, caller: Caller) -> Object:
        if caller.body is not CANONICAL:
            return {**source, "metadata": meta}
        if not self.strategy.changes_on_create and not self.shared.admission.changes_objects(operation):
            return {**source, "metadata": meta}
        return deep_copy({**source, "metadata": meta})  # type: ignore[no-any-return]

    async def _create_from_template(
        self, context: Context, source: Object, meta: dict[str, Any], operation: Operation, caller: Caller
    ) -> Object:
        plural, namespace = self.resource.plural, context.namespace
        state = self.shared.admission.depends_on(operation)
        if state is None:
            return await self._admit_create(context, self._private(source, meta, operation, caller), operation, caller)
        now = self.clock.monotonic()
        known = self.admitted.find(plural, namespace, source, state, now)
        if known is None:
            private = await self._admit_create(context, self._private(source, meta, operation, caller), operation, caller)
            self.admitted.remember(plural, namespace, source, private, state, now)
            return private
        if known.annotations:
            meta["annotations"] = {**(meta.get("annotations") or {}), **known.annotations}
        owned = known.owned_by(source, caller.manager, meta["creationTimestamp"])
        meta[FIELD] = owned or self._own_from_template(context, known, source, meta, caller)
        obj = {**source, "metadata": meta, "spec": known.spec}
        if known.status is not None:
            obj["status"] = known.status
        errors = self.metadata_errors(meta)
        if errors:
            raise self.invalid(meta.get("name", ""), errors)
        pending = self.shared.admission.validate_each(context, obj, operation)
        if pending is not None:
            await pending
        return obj

    def _own_from_template(
        self, context: Context, known: AdmittedSpec, source: Object, meta: dict[str, Any], caller: Caller
    ) -> ManagedFields | None:
        """What admission adds to a spec belongs to nobody: that is seen from the spec as it was before."""
        if known.defaulted is None:
            known.defaulted = deep_copy({name: value for name, value in source.items() if name != "metadata"})
            self.strategy.default(context, {**known.defaulted, "metadata": {}})
        made = {**known.defaulted, "metadata": dict(meta)}
        ownership.own_new(self, made, caller, meta["creationTimestamp"])
        known.made_of, known.manager, known.managed = source, caller.manager, made["metadata"].get(FIELD)
        return known.managed

    async def _admit_create(self, context: Context, obj: Object, operation: Operation, caller: Caller) -> Object:
        strategy = self.strategy
        if caller.sent_much:
            await asyncio.to_thread(self._default_and_own, context, obj, caller)
        else:
            strategy.default(context, obj)
            ownership.own_new(self, obj, caller, obj["metadata"]["creationTimestamp"])
        pending = self.shared.admission.admit(context, obj, None, operation)
        if pending is not None:
            await pending
        if strategy.needs_permission:
            strategy.check_permission(context, obj, None)
        if self.has_status and strategy.reset_status_on_create:
            _reset(obj, self.zero, strategy.status_fields)
        strategy.prepare_for_create(context, obj)
        try:
            context.beside_loop = caller.sent_much
            if caller.validates:
                try:
                    refusal = None if context.beside_loop else self._create_refusal(context, obj)
                except Lengthy:
                    context.beside_loop = True
                if context.beside_loop:
                    refusal = await self.clock.beside(partial(self._create_refusal, context, obj))
                if refusal is not None:
                    raise refusal
            if caller.body is not CANONICAL:
                if context.beside_loop:
                    caller.warnings += await self.clock.beside(partial(strategy.warnings_on_create, context, obj))
                else:
                    caller.warnings += strategy.warnings_on_create(context, obj)
            pending = self.shared.admission.validate(context, obj, None, operation)
            if pending is not None:
                await pending
        except BaseException:  # a request that is given up while others have their turn took something, too
            strategy.after_delete(context, obj)
            raise
        return obj

    def _default_and_own(self, context: Context, obj: Object, caller: Caller) -> None:
        self.strategy.default(context, obj)
        ownership.own_new(self, obj, caller, obj["metadata"]["creationTimestamp"], apart=True)

    def _create_refusal(self, context: Context, obj: Object) -> ApiError | None:
        errors = self._create_errors(context, obj)
        return self.invalid(obj["metadata"].get("name", ""), errors) if errors else None

    def _create_errors(self, context: Context, obj: Object) -> list[FieldError]:
        return self.metadata_errors(obj["metadata"]) + self.strategy.validate(context, obj)


def _with_revision(obj: Object, revision: str) -> Object:
    if not revision:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": revision}}


def _reset(obj: Object, zero: Object, fields: Iterable[str]) -> None:
    for part in fields:
        if part in zero:
            obj[part] = deep_copy(zero[part])
        else:
            obj.pop(part, None)
