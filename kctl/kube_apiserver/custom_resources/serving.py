"""From definitions to what is served: the endpoints of every established definition, in the registry and thereby in routing, discovery and
OpenAPI, from the moment its names are accepted until it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kctl.apimachinery import jsonpath
from kctl.apimachinery.resources import BUILT_IN
from kctl.kube_apiserver.custom_resources import columns
from kctl.kube_apiserver.custom_resources.definition import Definition, version_priority
from kctl.kube_apiserver.custom_resources.endpoint import CustomEndpoint
from kctl.kube_apiserver.custom_resources.replicas import ScalePaths
from kctl.kube_apiserver.custom_resources.schema import CustomSchema
from kctl.kube_apiserver.custom_resources.strategy import CustomResourceStrategy
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.storage import Storage, TooOld
from kctl.kube_apiserver.watch_cache import Entry, WatchCache

if TYPE_CHECKING:
    from kctl.kube_apiserver.admission.webhooks.transport import WebhookTransport
    from kctl.kube_apiserver.custom_resources.conversion_webhook import ConversionWebhook
    from kctl.kube_apiserver.custom_resources.converted_cache import ConvertedCache

_BUILT_IN_GROUPS = frozenset(entry.group for entry in BUILT_IN)
LARGE_SCHEMA = 300
"""Levels of a schema from which on making it takes more than a few milliseconds."""
_AT_ONCE = 100
"""Stored objects that are read anew before others have their turn."""


class Serving:
    """What is served at present, by the names of definitions."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._served: dict[str, tuple[Definition, list[CustomEndpoint], dict[str, CustomSchema]]] = {}
        self._stored: dict[str, CustomEndpoint] = {}
        """The endpoints of the versions that are stored, served or not, by the names of definitions."""
        self._transport: WebhookTransport | None = None

    def definition(self, name: str) -> Definition | None:
        """As it is served; None where it is not."""
        found = self._served.get(name)
        return found[0] if found is not None else None

    def stored(self, name: str) -> CustomEndpoint | None:
        """The version that is stored: who deletes all objects needs no conversion."""
        return self._stored.get(name)

    async def close(self) -> None:
        for _, endpoints, _ in self._served.values():
            _end_views(endpoints)
        if self._transport is not None:
            await self._transport.close()

    async def serve(self, definition: Definition) -> None:
        """Serve it as it is now; what is stored is read by its new schemas."""
        present = self._served.get(definition.name)
        if present is not None and present[0].serves_as(definition):
            return
        if not definition.served or definition.group in _BUILT_IN_GROUPS:
            self._withdraw(definition.name)
            return
        alike = present is not None and present[0].stores_as(definition)
        schemas = present[2] if present is not None and alike else await _schemas(definition)
        cache = self._registry.storage.cache(definition.group, definition.plural, definition.namespaced)
        if cache.namespaced != definition.namespaced and not cache.entries:
            self._registry.storage.forget_cache(definition.group, definition.plural)
            cache = self._registry.storage.cache(definition.group, definition.plural, definition.namespaced)
        before = self._registry.storage.revision
        if not alike:
            cache.read = _Reader(schemas).read
            await _read_anew(self._registry.storage, cache)
        webhook = await self._webhook(definition)
        views = {each.resource.version: each.view for each in present[1]} if present is not None and alike else {}
        endpoints = [
            self._endpoint(definition, version, cache, schemas, webhook, views.get(version["name"]))
            for version in definition.served_versions()
        ]
        self._served[definition.name] = definition, endpoints, schemas
        self._stored[definition.name] = self._stored_endpoint(definition, cache, schemas, endpoints)
        self._publish()
        if present is not None and not alike:
            _end_views(present[1])
        if not alike:
            _read_since(cache, before)
            if present is not None:
                cache.end_watches()

    def end(self, name: str) -> None:
        """Its definition is gone, and so are its objects."""
        present = self._served.get(name)
        self._withdraw(name)
        if present is not None:
            self._registry.storage.forget_cache(present[0].group, present[0].plural)

    def _withdraw(self, name: str) -> None:
        present = self._served.pop(name, None)
        if present is not None:
            self._stored.pop(name, None)
            self._publish()
            _end_views(present[1])

    def _publish(self) -> None:
        """By group, then the versions of a group with the most stable first, then by name."""
        found = [endpoint for _, endpoints, _ in self._served.values() for endpoint in endpoints]
        found.sort(key=lambda each: (each.resource.group, version_priority(each.resource.version), each.resource.plural))
        self._registry.set_custom(found)

    def _stored_endpoint(
        self, definition: Definition, cache: WatchCache, schemas: dict[str, CustomSchema], served: Iterable[CustomEndpoint]
    ) -> CustomEndpoint:
        for endpoint in served:
            if endpoint.resource.version == definition.storage_version and endpoint.view is None:
                return endpoint
        stored = next(version for version in definition.versions if version["name"] == definition.storage_version)
        return self._endpoint(definition, stored, cache, schemas).unconverted()

    async def _webhook(self, definition: Definition) -> ConversionWebhook | None:
        """Who converts between the versions, where it is not enough to say that an object is of another one."""
        if definition.conversion.get("strategy") != "Webhook" or len(definition.versions) < 2:
            return None
        registry = self._registry
        for module in ("admission.webhooks.transport", "custom_resources.conversion_webhook", "custom_resources.converted_cache"):
            await registry.clock.beside(partial(import_module, f"kctl.kube_apiserver.{module}"))
        from kctl.kube_apiserver.admission.webhooks.transport import WebhookTransport
        from kctl.kube_apiserver.custom_resources.conversion_webhook import ConversionWebhook

        if self._transport is None:
            self._transport = WebhookTransport(registry)
        return ConversionWebhook(self._transport, definition.conversion.get("webhook") or {}, registry.randomness)

    def _endpoint(
        self,
        definition: Definition,
        version: dict[str, Any],
        cache: WatchCache,
        schemas: dict[str, CustomSchema],
        webhook: ConversionWebhook | None = None,
        view: ConvertedCache | None = None,
    ) -> CustomEndpoint:
        subresources = version.get("subresources") or {}
        given = subresources.get("scale")
        scale = None
        if given is not None:
            paths = (given.get(key) or "" for key in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath"))
            scale = ScalePaths(*paths)
        schema = schemas[version["name"]]
        try:
            selectable = columns.selectable(version.get("selectableFields"))
        except jsonpath.JSONPathError:
            selectable = {}
        strategy = CustomResourceStrategy(schema, schema.rules, scale, selectable, has_status=subresources.get("status") is not None)
        resource, shared = definition.resource(version), self._registry.shared
        made = CustomEndpoint(resource, cache, definition, version, schemas, strategy, scale, shared, webhook, view)
        if webhook is None or view is not None:
            return made
        from kctl.kube_apiserver.custom_resources.converted_cache import ConvertedCache

        view = ConvertedCache(cache, made.all_served, self._registry.clock.machine)
        return CustomEndpoint(resource, cache, definition, version, schemas, strategy, scale, shared, webhook, view)


def _end_views(endpoints: Iterable[CustomEndpoint]) -> None:
    for endpoint in endpoints:
        if endpoint.view is not None:
            endpoint.view.end()


async def _schemas(definition: Definition) -> dict[str, CustomSchema]:
    """By version; large ones are made in a thread."""
    made: dict[str, CustomSchema] = {}
    for version in definition.versions:
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if _is_large(schema):
            made[version["name"]] = await asyncio.to_thread(CustomSchema, definition.kind, schema)
        else:
            made[version["name"]] = CustomSchema(definition.kind, schema)
    return made


def _is_large(schema: Any) -> bool:
    waiting, levels = [schema], 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            levels += 1
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        if levels > LARGE_SCHEMA:
            return True
    return False


class _Reader:
    """What is stored, as it is read: complete by the schema of the version it is in."""

    def __init__(self, schemas: dict[str, CustomSchema]) -> None:
        self._schemas = schemas

    def read(self, obj: dict[str, Any]) -> dict[str, Any]:
        schema = self._schemas.get(str(obj.get("apiVersion", "")).rpartition("/")[2])
        return schema.settle(obj) if schema is not None else obj


async def _read_anew(storage: Storage, cache: WatchCache) -> None:
    """What is stored, by the new schemas: not what the old ones have made of it, or a default that is no more would stay."""
    after, more, revision = "", bool(cache.entries), storage.revision
    while more:
        try:
            found, more = await storage.list_at(cache, "", after, revision, _AT_ONCE)
        except TooOld:
            revision = storage.revision
            continue
        for entry in found:
            meta = entry.object["metadata"]
            after = f"{meta['namespace']}/{meta['name']}" if cache.namespaced else meta["name"]
            present = cache.entries.get(after)
            if present is not None and present.revision == entry.revision and present.object != entry.object:
                present.replace(entry.object)


def _read_since(cache: WatchCache, revision: int) -> None:
    """What has come meanwhile."""
    for entry in cache.entries.values():
        if entry.revision > revision:
            _reread(cache, entry)


def _reread(cache: WatchCache, entry: Entry) -> None:
    assert cache.read is not None
    made = cache.read(entry.object)
    if made != entry.object:
        entry.replace(made)
