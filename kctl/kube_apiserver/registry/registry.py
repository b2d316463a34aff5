"""All served resources and what is stored of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceTable, ResourceType
from kctl.apimachinery.status import NotFound
from kctl.kube_apiserver.admission.chain import AdmissionChain
from kctl.kube_apiserver.registry import conversion, kind_form, strategies
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.served_resource import ObjectSchema, RegistryParts
from kctl.kube_apiserver.server_parts import ServerParts
from kctl.kube_apiserver.storage import Storage


class Following(Protocol):
    """Whoever makes custom resources of definitions."""

    async def caught_up(self) -> None:
        """When every definition stored by now has been looked at."""
        ...


class Aggregating(Protocol):
    """Whoever knows the extension API servers."""

    def way(self, group: str, version: str) -> object | None:
        """None for what none of them serves."""
        ...


class Registry:
    """`parts` are what else of the server its handlers and strategies may use."""

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
        self.clock = clock
        self.randomness = randomness
        self.parts = parts
        self.table = table or ResourceTable()
        self._schema_of = schema_of
        self.shared = RegistryParts(storage, admission, clock, randomness, parts)
        admission.connect(self)
        self._endpoints: dict[tuple[str, str, str], Endpoint] = {}
        self.custom: tuple[Endpoint, ...] = ()
        self.definitions: Following | None = None
        """Who serves what is defined, once somebody does."""
        self.aggregated: Aggregating | None = None
        """Once there is an extension API server."""

    def set_custom(self, endpoints: Iterable[Endpoint]) -> None:
        """Exactly these custom resources are served from now on, in this order."""
        for entry in self.custom:
            self._endpoints.pop((entry.resource.group, entry.resource.version, entry.resource.plural), None)
        self.custom = tuple(endpoints)
        for entry in self.custom:
            self._endpoints[entry.resource.group, entry.resource.version, entry.resource.plural] = entry
        self.table.set_custom(entry.resource for entry in self.custom)

    def endpoint(self, resource: ResourceType) -> Endpoint:
        """Raises NotFound for a custom resource whose definition is gone."""
        key = (resource.group, resource.version, resource.plural)
        found = self._endpoints.get(key)
        if found is None:
            if self.table.by_plural(*key) is None:
                raise NotFound("the server could not find the requested resource")
            found = self._endpoints[key] = self._make_endpoint(resource)
        return found

    def preload(self, resource: ResourceType, *, rules: bool) -> None:
        """Import what converts a resource's objects and, where `rules` are wanted, its strategy and what admits them; for a thread."""
        found = conversion.conversion_for(resource)
        if found is not None:
            found.load()
        if rules:
            group, plural = conversion.storage_group(resource)
            strategies.strategy_for(self.table.stored(group, plural) or resource)
            self.shared.admission.preload(resource)
            kind_form.preload()

    def _make_endpoint(self, resource: ResourceType) -> Endpoint:
        group, plural = conversion.storage_group(resource)
        found = conversion.conversion_for(resource)
        preferred = self.table.stored(group, plural) or resource
        stored = found.storage_api_version if found else preferred.api_version
        cache = self.storage.cache(group, plural, resource.namespaced)
        return Endpoint(resource, cache, partial(strategies.strategy_for, preferred), self._schema_of, found, stored, self.shared)

    def get_cached(self, resource: ResourceType, namespace: str, name: str) -> Object | None:
        return self.storage.get_cached(resource, namespace, name)

    def list_cached(self, resource: ResourceType, namespace: str) -> Iterable[Object]:
        return self.storage.list_cached(resource, namespace)
