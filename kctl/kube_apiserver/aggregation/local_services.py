"""APIServices of what this server serves itself: one for each group version, built-in or custom (upstream's autoregister and
crdregistration controllers).

Those of built-in groups are made or mended once in the life of a server, and are the user's afterwards; those of definitions are kept as
they should be for as long as the version is served. One that lacks the label is nobody's business here.

Nothing else needs these objects, so none is written before somebody asks for an APIService (server.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from functools import partial

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS, ResourceType, built_in
from kctl.apimachinery.status import AlreadyExists, ApiError, NotFound
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.aggregation import priorities
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.delete import DeleteOptions
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.watch_cache import Watcher

_LOG = logging.getLogger(__name__)
_API_SERVICES = built_in("apiregistration.k8s.io/v1", "APIService")
LABEL = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"
_CALLER = Caller(APISERVER, "kube-apiserver", CANONICAL)


class LocalServices:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._at_start = frozenset(registry.storage.cache_of(_API_SERVICES).entries)
        self._done: set[str] = set()
        self._built_in = {objects.name(made): made for made in _built_in(registry.table)}
        self._watchers: list[Watcher] = []

    async def settle(self) -> None:
        """All that should be there is when this returns."""
        registry = self._registry
        await registry.clock.beside(partial(registry.preload, _API_SERVICES, rules=True))
        caches = [registry.storage.cache_of(resource) for resource in (_API_SERVICES, CUSTOM_RESOURCE_DEFINITIONS)]
        self._watchers = [cache.subscribe(None, "") for cache in caches]
        await self._sync(sorted({*caches[0].entries, *self._built_in, *self._custom()}))

    async def follow(self) -> None:
        """Until the storage closes its caches."""
        services, definitions = self._watchers
        await asyncio.gather(self._follow_services(services), self._follow_definitions(definitions))

    async def _follow_services(self, watcher: Watcher) -> None:
        while (batch := await watcher.next()) is not None:
            await self._sync(dict.fromkeys(change.key for change in batch))

    async def _follow_definitions(self, watcher: Watcher) -> None:
        while (batch := await watcher.next()) is not None:
            groups = {str(objects.spec(change.entry.object).get("group")) for change in batch}
            names = {*self._custom(), *self._registry.storage.cache_of(_API_SERVICES).entries}
            await self._sync(sorted(name for name in names if name.partition(".")[2] in groups))

    def _custom(self) -> dict[str, Object]:
        """What definitions want, by name."""
        wanted: dict[str, Object] = {}
        for obj in self._registry.list_cached(CUSTOM_RESOURCE_DEFINITIONS, ""):
            spec = objects.spec(obj)
            for version in spec.get("versions") or ():
                name = f"{version['name']}.{spec['group']}"
                if version.get("served") and name not in self._built_in:
                    order = priorities.OF_CUSTOM_GROUPS, priorities.OF_CUSTOM_VERSIONS
                    wanted[name] = _api_service(spec["group"], version["name"], *order, ALWAYS)
        return wanted

    async def _sync(self, names: Iterable[str]) -> None:
        custom = self._custom()
        await asyncio.gather(*(self._sync_one(name, self._built_in.get(name) or custom.get(name)) for name in names))

    async def _sync_one(self, name: str, wanted: Object | None) -> None:
        try:
            if await self._is_done(name, wanted):
                self._done.add(name)
        except (AlreadyExists, NotFound):
            return  # changed meanwhile: its change comes by here
        except ApiError as error:
            _LOG.warning("APIService %s: %s", name, error)

    async def _is_done(self, name: str, wanted: Object | None) -> bool:
        """Whether it is as it should be, once this returns."""
        present = self._registry.get_cached(_API_SERVICES, "", name)
        endpoint = self._registry.endpoint(_API_SERVICES)
        if present is None:
            if wanted is None or (_label(wanted) == ON_START and name in self._done):
                return False
            await endpoint.create("", wanted, _CALLER)
            return True
        managed = _label(present)
        if managed not in (ON_START, ALWAYS) or (managed == ON_START and (name not in self._at_start or name in self._done)):
            return False
        if wanted is None:
            await endpoint.delete("", name, DeleteOptions(), _CALLER)
        elif objects.spec(present) != objects.spec(wanted):
            await endpoint.update("", name, lambda obj: {**obj, "spec": wanted["spec"]}, _CALLER)
        return True


def _label(obj: Object) -> str:
    return str(objects.labels(obj).get(LABEL) or "")


def _built_in(types: Iterable[ResourceType]) -> Iterator[Object]:
    """The aggregator's own group has none."""
    for group, version in dict.fromkeys((entry.group, entry.version) for entry in types):
        priority = priorities.OF_GROUPS.get(group)
        if priority is not None and group not in ("apiregistration.k8s.io", "metrics.k8s.io"):
            yield _api_service(group, version, priority, priorities.of_version(group, version), ON_START)


def _api_service(group: str, version: str, group_priority: int, version_priority: int, managed: str) -> Object:
    spec: Object = {"groupPriorityMinimum": group_priority, "version": version, "versionPriority": version_priority}
    return {
        "apiVersion": _API_SERVICES.api_version,
        "kind": _API_SERVICES.kind,
        "metadata": {"name": f"{version}.{group}", "labels": {LABEL: managed}},
        "spec": {"group": group, **spec} if group else spec,
    }
