"""From definitions to what is served: the endpoints of every established definition, in the registry and thereby in routing, discovery and
OpenAPI, from the moment its names are accepted until it is gone."""

from __future__ import annotations

import asyncio
from typing import Any

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

    def definition(self, name: str) -> Definition | None:
        """As it is served; None where it is not."""
        found = self._served.get(name)
        return found[0] if found is not None else None

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
        endpoints = [self._endpoint(definition, version, cache, schemas) for version in definition.served_versions()]
        self._served[definition.name] = definition, endpoints, schemas
        self._publish()
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
        if self._served.pop(name, None) is not None:
            self._publish()

    def _publish(self) -> None:
        """By group, then the versions of a group with the most stable first, then by name."""
        found = [endpoint for _, endpoints, _ in self._served.values() for endpoint in endpoints]
        found.sort(key=lambda each: (each.resource.group, version_priority(each.resource.version), each.resource.plural))
        self._registry.set_custom(found)

    def _endpoint(
        self, definition: Definition, version: dict[str, Any], cache: WatchCache, schemas: dict[str, CustomSchema]
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
        return CustomEndpoint(definition.resource(version), cache, definition, version, schemas, strategy, scale, self._registry.shared)


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
