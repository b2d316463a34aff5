"""resourcequota-controller: adds up what a namespace uses of each of its quotas.

What an object counts for is in apimachinery/quota_usage.py. Only kinds that some quota names are looked at, whichever those are: a
cluster without quotas pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from controllers.runtime.informer import Change, Informer
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source, not_own_status
from kctl.apimachinery import objects, quota_usage
from kctl.apimachinery.objects import Object
from kctl.apimachinery.quota_usage import Usage
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound
from kctl.client.discovery import NoResource, RESTMapper

_QUOTAS = built_in("v1", "ResourceQuota")
_RESYNC_SECONDS = 300.0


def named_resources(quota: Object) -> list[str]:
    """What a quota counts, as plural.group."""
    names = (quota_usage.resource_of(name) for name in objects.spec(quota).get("hard") or ())
    return [name for name in dict.fromkeys(names) if name]


def _changes_usage(old: Object | None, new: Object | None) -> bool:
    """Not what is new: it was counted when it was admitted. Counting it again here, while others that are already counted are about
    to be stored, would make room for more than the quota allows."""
    if old is None:
        return False
    if new is None or old.get("spec") != new.get("spec"):
        return True
    if ("deletionTimestamp" in old["metadata"]) != ("deletionTimestamp" in new["metadata"]):
        return True
    return bool((old.get("status") or {}).get("phase") != (new.get("status") or {}).get("phase"))


class ResourceQuotaController(LoopController):
    name = "resourcequota-controller"
    pace_seconds = 0.1

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._quotas = context.informers.informer(_QUOTAS)
        self._mapper = RESTMapper(context.client.transport)
        self._followed: dict[str, Informer] = {}

    def wakes(self) -> Sequence[Source]:
        """And objects of every kind that a quota names (`_follow`)."""
        return (For(_QUOTAS, when=not_own_status),)

    async def reconcile(self, key: str) -> Result | None:
        quota = self._quotas.get(key)
        if quota is None or objects.deletion_timestamp(quota):
            return None
        hard = objects.spec(quota).get("hard") or {}
        usages: list[Usage] = []
        for resource in named_resources(quota):
            usages += await self._usages(quota, resource)
        status: dict[str, Any] = {"hard": dict(hard), "used": quota_usage.used(hard, usages)}
        status = {field: value for field, value in status.items() if value}
        if status != objects.status(quota):
            try:
                written = await self.context.client.update_status(_QUOTAS, objects.replace(quota, status=status))
            except NotFound:
                return None
            self._quotas.observe([written])
        return Result(requeue_after=_RESYNC_SECONDS)

    async def _usages(self, quota: Object, resource: str) -> list[Usage]:
        try:
            informer = await self._follow(resource)
        except NoResource:
            return []  # counted as nothing until the kind is served
        now = self.context.clock.now()
        listed = list(informer.list(objects.namespace(quota)))
        return [quota_usage.usage(resource, obj, now) for obj in listed if quota_usage.in_scope(quota, resource, obj)]

    async def _follow(self, resource: str) -> Informer:
        """The cache of a kind, from now on waking the quotas that name it. Raises NoResource."""
        informer = self._followed.get(resource)
        if informer is None:
            informer = self.context.informers.informer(await self._mapper.resource(resource))
            informer.start()
            await informer.wait_for_sync()
            if resource not in self._followed:
                self._followed[resource] = informer
                informer.add_handler(self._waking(resource))
        return informer

    def _waking(self, resource: str) -> Callable[[Sequence[Change]], None]:
        def wake(changes: Sequence[Change]) -> None:
            spaces = dict.fromkeys(objects.namespace(new or old or {}) for old, new in changes if _changes_usage(old, new))
            for space in spaces:
                for quota in self._quotas.list(space):
                    if resource in named_resources(quota):
                        self.loop.enqueue_object(quota)

        return wake
