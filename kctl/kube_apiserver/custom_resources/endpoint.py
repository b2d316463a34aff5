"""All verbs on one served version of a custom resource.

What the generic verbs call the stored form is here the served one: requests are admitted, defaulted and validated in the version they are
made in, and converted when they are written and read (upstream's storage codec). Where a definition has one version, nothing is
converted and all is as with a built-in kind. Where a webhook converts, the endpoint's cache is one of objects in its own version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import orjson

from kctl.apimachinery import status
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.field_ownership.tracker import Tracker
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.columns.columns import Columns
from kctl.kube_apiserver.custom_resources.columns import columns_of
from kctl.kube_apiserver.custom_resources.definition import Definition
from kctl.kube_apiserver.custom_resources.replicas import ScalePaths
from kctl.kube_apiserver.custom_resources.schema import CustomSchema
from kctl.kube_apiserver.custom_resources.strategy import CustomResourceStrategy
from kctl.kube_apiserver.registry import metadata
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.served_resource import ObjectSchema, RegistryParts
from kctl.kube_apiserver.registry.strategy import Context
from kctl.kube_apiserver.storage import Storage
from kctl.kube_apiserver.watch_cache import Entry, WatchCache

if TYPE_CHECKING:
    from kctl.kube_apiserver.custom_resources.conversion_webhook import ConversionWebhook
    from kctl.kube_apiserver.custom_resources.converted_cache import ConvertedCache


class CustomEndpoint(Endpoint):
    custom = True

    def __init__(
        self,
        resource: ResourceType,
        cache: WatchCache,
        definition: Definition,
        version: dict[str, Any],
        schemas: Mapping[str, CustomSchema],
        strategy: CustomResourceStrategy,
        scale: ScalePaths | None,
        parts: RegistryParts,
        webhook: ConversionWebhook | None = None,
        view: ConvertedCache | None = None,
    ) -> None:
        """`schemas`: by the names of all versions, for what is stored in another one. `webhook` and `view`, which then is the `cache`:
        where a webhook converts."""
        own, stored = schemas[resource.version], f"{definition.group}/{definition.storage_version}"
        super().__init__(resource, view or cache, lambda: strategy, lambda _, subresource: own, None, stored, parts)
        self.definition = definition
        self.scale_paths = scale
        self.warnings = definition.warnings(version)
        self._custom_strategy = strategy
        self.own_schema = own
        self.version = version
        self._by_version = schemas
        self._columns: Columns = columns_of(version.get("additionalPrinterColumns"))
        self._webhook = webhook
        self.view = view
        """What shows this version; requests wait until it has caught up with what is stored."""
        self.converts = webhook is None and len(definition.versions) > 1
        self.type_prefix = orjson.dumps({"apiVersion": resource.api_version, "kind": resource.kind})[:-1] + b","
        if self.converts:
            from kctl.kube_apiserver.custom_resources.converting_storage import ConvertingStorage

            self.storage = cast(Storage, ConvertingStorage(parts.storage, self))
        elif view is not None:
            from kctl.kube_apiserver.custom_resources.converting_storage import ViewStorage

            self.storage = cast(Storage, ViewStorage(parts.storage, self, view, self.all_served))

    def tracker(self, subresource: str) -> Tracker:
        found = self.trackers.get(subresource)
        if found is None:
            from kctl.kube_apiserver.custom_resources import ownership_form

            found = self.trackers[subresource] = ownership_form.tracker(self, subresource)
        return found

    @property
    def columns(self) -> Columns:
        return self._columns

    @property
    def list_kind(self) -> str:
        return self.definition.list_kind

    @property
    def zero(self) -> Object:
        return {}

    def schema_of_version(self, api_version: str) -> CustomSchema | None:
        """Of a version of this resource, by apiVersion; None where it has no such version."""
        group, _, version = api_version.rpartition("/")
        return self._by_version.get(version) if group == self.resource.group else None

    def schema(self, subresource: str = "") -> ObjectSchema:
        if subresource == "scale":
            from kctl.apimachinery.schema import schemas as built_in

            return built_in.load().for_resource(self.resource, "scale")
        return self.own_schema

    def to_storage(self, obj: Object) -> Object:
        return obj

    def from_storage(self, obj: Object) -> Object:
        """Into the served version."""
        if not self.converts or obj.get("apiVersion") == self.resource.api_version:
            return obj
        return self.convert(obj, self.resource.version)

    def convert(self, obj: Object, version: str) -> Object:
        """Into a version of this resource: the strategy None changes the apiVersion, and what the version does not know is pruned."""
        return self._by_version[version].prune({**obj, "apiVersion": f"{self.resource.group}/{version}"})

    def unconverted(self) -> CustomEndpoint:
        """With objects in whatever version they are stored, for who only wants to be rid of them."""
        self.converts = False
        self.storage = self.shared.storage
        return self

    def get(self, namespace: str, name: str, revision: int = 0) -> Entry:
        entry = super().get(namespace, name, revision)
        if not self.converts or entry.object.get("apiVersion") == self.resource.api_version:
            return entry
        return Entry(self.from_storage(entry.object), entry.revision)

    async def read(self, namespace: str, name: str) -> Entry:
        """As `get`, with whatever conversion takes."""
        return self.get(namespace, name)

    async def stored_form(self, obj: Object) -> Object:
        """What is written of a served object: in the version that is stored, complete by that version's schema."""
        version = self.definition.storage_version
        if obj["apiVersion"] != self.storage_api_version:
            (obj,) = await self.convert_all([obj], version)
        meta = obj["metadata"]
        return {**self._by_version[version].settle(obj), "metadata": meta}

    async def served_form(self, obj: Object) -> Object:
        """What a reader of this version gets of a stored object."""
        return (await self.all_served([obj]))[0]

    async def all_served(self, objects: Sequence[Object]) -> list[Object]:
        return await self.convert_all(objects, self.resource.version)

    async def convert_all(self, objects: Sequence[Object], version: str) -> list[Object]:
        """Into a version of this resource, as the definition says. Raises ApiError where the webhook fails."""
        api_version = f"{self.resource.group}/{version}"
        if self._webhook is None:
            return [obj if obj.get("apiVersion") == api_version else self.convert(obj, version) for obj in objects]
        converted = await self._webhook.convert(objects, api_version)
        prune = self._by_version[version].prune
        return [made if made is obj else prune(made) for obj, made in zip(objects, converted, strict=True)]

    def metadata_errors(self, meta: dict[str, Any], *, is_create: bool = True) -> list[FieldError]:
        return metadata.validate(
            meta, namespaced=self.resource.namespaced, name_rule="subdomain", is_create=is_create, known_finalizers=False
        )

    def _create_errors(self, context: Context, obj: Object) -> list[FieldError]:
        return self._custom_strategy.create_errors(context, obj, self.metadata_errors(obj["metadata"]))

    def _update_errors(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        meta, before = obj["metadata"], old["metadata"]
        # upstream checks what may not change in its generic code and in the strategy, and reports it twice
        found = 2 * metadata.validate_update(meta, before) + self.metadata_errors(meta, is_create=False)
        if context.subresource == "status":
            return self._custom_strategy.status_errors(context, obj, old, found)
        return self._custom_strategy.update_errors(context, obj, old, found)

    async def create(self, namespace: str, obj: Object, caller: Caller) -> Object:
        if self.definition.terminating:
            why = "create not allowed while custom resource definition is terminating"
            raise status.forbidden(self.resource.group, self.resource.plural, str((obj.get("metadata") or {}).get("name") or ""), why)
        return await super().create(namespace, obj, caller)
