"""kube-aggregator: which group versions extension API servers serve, and whether they can be asked.

Loaded with the first APIService that names a Service. Each has a task of its own, which checks it when it, its Service or the Service's
endpoints change, and every half minute; while it fails, again after five seconds and then less and less often.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import objects, times
from kctl.apimachinery.clock import timeout
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ENDPOINT_SLICES, SERVICES, built_in
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.aggregation import authentication, availability
from kctl.kube_apiserver.aggregation.documents import Documents
from kctl.kube_apiserver.aggregation.remote import Remote, Way
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.watch_cache import Watcher

API_SERVICES = built_in("apiregistration.k8s.io/v1", "APIService")
_CALLER = Caller(APISERVER, "kube-apiserver", body=CANONICAL)
_PASSING_SECONDS = 30.0
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 5.0, 30.0


class _Kept:
    """An extension server and the task that checks it."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.documents = Documents(way)
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Aggregator:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: dict[str, _Kept] = {}
        self._by_version: dict[tuple[str, str], _Kept] = {}

    @property
    def remotes(self) -> list[Remote]:
        return [kept.way.remote for kept in self._by_version.values()]

    def way(self, group: str, version: str) -> Way | None:
        kept = self._by_version.get((group, version))
        return kept.way if kept is not None else None

    @property
    def documents(self) -> Mapping[tuple[str, str], Documents]:
        return {key: kept.documents for key, kept in self._by_version.items()}

    async def run(self, watcher: Watcher) -> None:
        """Until the storage closes its caches; `watcher` is one of the APIServices' cache, from before this was called."""
        cache = self._registry.storage.cache_of(API_SERVICES)
        self._registry.aggregated = self
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._wake(resource)) for resource in (SERVICES, ENDPOINT_SLICES)]
        try:
            await authentication.publish(self._registry)
            for name in sorted(cache.entries):
                self._look_at(name)
            while (batch := await watcher.next()) is not None:
                for name in dict.fromkeys(change.key for change in batch):
                    self._look_at(name)
        finally:
            tasks += [kept.task for kept in self._kept.values() if kept.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _look_at(self, name: str) -> None:
        present = self._registry.get_cached(API_SERVICES, "", name)
        remote = Remote.of(present) if present is not None else None
        kept = self._kept.get(name)
        if kept is not None:
            known = kept.way.remote
            if remote is not None and remote.spec == known.spec:
                known.available = remote.available
                return
            self._forget(name, kept)
        if remote is not None:
            kept = self._kept[name] = self._by_version[remote.key] = _Kept(Way(self._registry, remote))
            kept.task = asyncio.get_running_loop().create_task(self._keep(kept), name=f"APIService {name}")

    def _forget(self, name: str, kept: _Kept) -> None:
        del self._kept[name]
        self._by_version.pop(kept.way.remote.key, None)
        if kept.task is not None:
            kept.task.cancel()

    async def _wake(self, resource: Any) -> None:
        """A Service or its endpoints changed."""
        watcher = self._registry.storage.cache_of(resource).subscribe(None, "")
        while (batch := await watcher.next()) is not None:
            changed = {_service_key(change.entry.object) for change in batch}
            for kept in self._kept.values():
                if (kept.way.remote.namespace, kept.way.remote.service) in changed:
                    kept.changed.set()

    async def _keep(self, kept: _Kept) -> None:
        retry = _FIRST_RETRY_SECONDS
        while True:
            kept.changed.clear()
            found = await availability.check(self._registry, kept.way)
            await self._tell(kept.way.remote, found)
            if found.is_available:
                await kept.documents.refresh()
            wait = _PASSING_SECONDS if found.is_available else retry
            retry = _FIRST_RETRY_SECONDS if found.is_available else min(retry * 2, _LAST_RETRY_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with timeout(self._registry.clock.machine, wait):
                    await kept.changed.wait()

    async def _tell(self, remote: Remote, found: availability.Found) -> None:
        now = times.rfc3339(self._registry.clock.now())

        def change(obj: Object) -> Object:
            conditions = list(objects.status(obj).get("conditions") or ())
            made = {
                "type": "Available",
                "status": "True" if found.is_available else "False",
                "lastTransitionTime": now,
                "reason": found.reason,
                "message": found.message,
            }
            for index, old in enumerate(conditions):
                if old.get("type") == "Available":
                    if old.get("status") == made["status"]:
                        made["lastTransitionTime"] = old.get("lastTransitionTime") or now
                    conditions[index] = made
                    break
            else:
                conditions.append(made)
            return objects.with_status(obj, conditions=conditions)

        with contextlib.suppress(ApiError):  # it is gone: so will be this task
            await self._registry.endpoint(API_SERVICES).write_directly("", remote.name, change, _CALLER)
        remote.available = found.is_available


def _service_key(obj: Object) -> tuple[str, str]:
    """namespace and name of a Service, or of the one that an EndpointSlice is of."""
    return objects.namespace(obj), objects.labels(obj).get("kubernetes.io/service-name") or objects.name(obj)
