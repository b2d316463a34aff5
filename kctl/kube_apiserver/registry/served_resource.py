"""One served resource version: what its verbs need to know of it, put together once (upstream's Store, without the verbs).

The verbs are in create.py, get.py, list.py, ...: each a class that adds one method; endpoint.py joins them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.field_ownership.tracker import Tracker
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, invalid
from kctl.kube_apiserver.admission.chain import AdmissionChain
from kctl.kube_apiserver.admission.plugin import Operation
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.registry import kind_form, metadata
from kctl.kube_apiserver.registry.admitted_specs import AdmittedSpecs
from kctl.kube_apiserver.registry.conversion import Conversion
from kctl.kube_apiserver.registry.guaranteed_update import GuaranteedUpdate
from kctl.kube_apiserver.registry.strategy import Context, Strategy
from kctl.kube_apiserver.server_parts import ServerParts
from kctl.kube_apiserver.storage import Storage
from kctl.kube_apiserver.watch_cache import WatchCache

if TYPE_CHECKING:
    from kctl.kube_apiserver.columns.columns import Columns


class Decoded(Protocol):
    @property
    def object(self) -> Object: ...

    @property
    def unknown_fields(self) -> list[str]: ...


class ObjectSchema(Protocol):
    def decode(self, obj: Any) -> Decoded: ...


@dataclass(slots=True)
class RegistryParts:
    """What all served resources share; the chain of admission plugins may be another while the server runs."""

    storage: Storage
    admission: AdmissionChain
    clock: Clock
    randomness: random.Random
    server: ServerParts
    guaranteed_update: GuaranteedUpdate = field(default_factory=GuaranteedUpdate)
    admitted: AdmittedSpecs = field(default_factory=AdmittedSpecs)


class ServedResource:
    """`cache`, `strategy` and `storage_version` belong to the stored form, `resource` and `schema` to the served version."""

    custom = False
    """Whether it is a custom resource: an object without a Go type, whose lists say what their items are."""
    warnings: Sequence[str] = ()
    """What every request is told (of a deprecated version)."""

    def __init__(
        self,
        resource: ResourceType,
        cache: WatchCache,
        strategy_of: Callable[[], Strategy],
        schema_of: Callable[[ResourceType, str], ObjectSchema],
        conversion: Conversion | None,
        storage_api_version: str,
        parts: RegistryParts,
    ) -> None:
        self.shared = parts
        self.storage = parts.storage
        self.clock = parts.clock
        self.randomness = parts.randomness
        self.guaranteed_update = parts.guaranteed_update
        self.admitted = parts.admitted
        self._allocators = parts.server.allocators
        self._authorization = parts.server.authorization
        self.resource = resource
        self.cache = cache
        self._strategy_of = strategy_of
        self._schema_of = schema_of
        self._schemas: dict[str, ObjectSchema] = {}
        self.conversion = conversion
        self.storage_api_version = storage_api_version
        self.has_status = resource.subresource("status") is not None
        self.converts = storage_api_version != resource.api_version
        self.type_prefix = orjson.dumps({"kind": resource.kind, "apiVersion": resource.api_version})[:-1] + b","
        self._zero: Object | None = None
        self.trackers: dict[str, Tracker] = {}

    @cached_property
    def strategy(self) -> Strategy:
        """Looked for when something is first written or selected: a kind that is only watched needs none, nor the modules it comes from."""
        return self._strategy_of()

    def schema(self, subresource: str = "") -> ObjectSchema:
        found = self._schemas.get(subresource)
        if found is None:
            found = self._schemas[subresource] = self._schema_of(self.resource, subresource)
        return found

    @property
    def zero(self) -> Object:
        """The kind's empty object: what Go writes even where nothing is set (`status: {}`)."""
        if self._zero is None:
            empty = {"apiVersion": self.resource.api_version, "kind": self.resource.kind, "metadata": {}}
            self._zero = self.to_storage(self.schema().decode(empty).object)
        return self._zero

    @property
    def columns(self) -> Columns:
        """What a Table shows."""
        from kctl.kube_apiserver.columns.kinds import columns_for

        return columns_for(self.resource)

    @property
    def list_kind(self) -> str:
        return f"{self.resource.kind}List"

    def tracker(self, subresource: str) -> Tracker:
        """Who owns what, for writes to the object itself ('') or to one of its subresources."""
        found = self.trackers.get(subresource)
        if found is None:
            found = self.trackers[subresource] = kind_form.tracker(
                self.resource, subresource, self.has_status, lambda: self.from_storage(self.zero)
            )
        return found

    def stamp(self) -> str:
        """Now, as objects carry it."""
        return self.clock.now().isoformat()[:19] + "Z"

    def key(self, namespace: str, name: str) -> str:
        return f"{namespace}/{name}" if self.resource.namespaced else name

    def to_storage(self, obj: Object) -> Object:
        """From the served version; the object itself where it is the stored one."""
        if self.conversion is not None and self.converts:
            return self.conversion.to_storage(obj, self.resource.api_version)
        if obj.get("apiVersion") != self.storage_api_version or obj.get("kind") != self.resource.kind:
            rest = {k: v for k, v in obj.items() if k != "kind" and k != "apiVersion"}
            return {"kind": self.resource.kind, "apiVersion": self.storage_api_version, **rest}
        return obj

    def from_storage(self, obj: Object) -> Object:
        """Into the served version."""
        if not self.converts:
            return obj
        if self.conversion is not None:
            return self.conversion.from_storage(obj, self.resource.api_version)
        return {**obj, "apiVersion": self.resource.api_version}

    def context(self, namespace: str, caller: Caller, subresource: str = "") -> Context:
        return Context(
            self.resource,
            namespace,
            caller.user,
            self.clock.now(),
            self.randomness,
            self.storage.get_cached,
            self.storage.list_cached,
            subresource,
            caller.dry_run,
            self._allocators,
            self._authorization,
            caller.warnings,
        )

    async def admit_subresource(
        self, namespace: str, name: str, subresource: str, obj: Object, caller: Caller, verb: str = "CREATE"
    ) -> Object:
        """What admission makes of an object that is sent to a subresource and not stored as such (a Binding, an Eviction). Its parts
        may be shared: plugins replace them. Raises what it is refused with."""
        operation, chain = Operation(verb, self.resource, namespace, name, subresource), self.shared.admission
        if not chain.concerns(operation):
            return obj
        context = self.context(namespace, caller, subresource)
        made = dict(obj)
        pending = chain.admit(context, made, None, operation)
        if pending is not None:
            await pending
        pending = chain.validate(context, made, None, operation)
        if pending is not None:
            await pending
        return made

    def metadata_errors(self, meta: dict[str, Any], *, is_create: bool = True) -> list[FieldError]:
        resource = self.resource
        return metadata.validate(
            meta,
            namespaced=resource.namespaced,
            name_rule=self.strategy.name_validator,
            is_create=is_create,
            known_finalizers=resource.group not in metadata.LOOSE_FINALIZERS,
        )

    def invalid(self, name: str, errors: list[FieldError]) -> ApiError:
        return invalid(self.cache.group, self.resource.kind, name, errors)
