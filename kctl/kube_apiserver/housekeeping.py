"""What kube-apiserver does from time to time: forget history (etcd compaction, every five minutes) and expired Events.

History is compacted to where it was one round ago, so that a watch has at least five minutes to resume. Events live an hour after
they were last seen (--event-ttl).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.delete import DeleteOptions
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.storage import StorageError

_LOG = logging.getLogger(__name__)
INTERVAL_SECONDS = 300.0
EVENT_TTL = timedelta(hours=1)
_BATCH = 500


class Housekeeping:
    """Two timers, and tasks while they work: Events expire in the cluster's time, history in the machine's, which is that of whoever
    watches."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._revision = 0
        self._timers: dict[str, Timer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._revision = self._registry.storage.revision
        self._later("events", self._registry.clock, self._expire)
        self._later("history", self._registry.clock.machine, self.compact)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks.values():
            task.cancel()

    def _later(self, name: str, clock: Clock, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def begin() -> None:
            self._later(name, clock, work)
            if name not in self._tasks or self._tasks[name].done():
                self._tasks[name] = asyncio.ensure_future(work())

        self._timers[name] = clock.call_later(INTERVAL_SECONDS, begin)

    async def run_once(self) -> None:
        await self._expire()
        await self.compact()

    async def _expire(self) -> None:
        try:
            await self.expire_events()
        except StorageError as error:
            _LOG.warning("expired events are still there: %s", error)

    async def compact(self) -> None:
        """To where history was when this was called before."""
        storage = self._registry.storage
        target, self._revision = self._revision, storage.revision
        try:
            if target > storage.compact_revision:
                await storage.compact(target)
        except StorageError as error:
            _LOG.warning("compaction to revision %d failed: %s", target, error)

    async def expire_events(self) -> int:
        """Delete the Events last seen more than an hour ago; how many there were."""
        now = self._registry.clock.now()
        latest = times.rfc3339(now - EVENT_TTL)
        endpoint = self._registry.endpoint(EVENTS)
        expired = [entry.object["metadata"] for entry in endpoint.cache.unordered() if _is_expired(entry.object, now, latest)]
        for start in range(0, len(expired), _BATCH):
            await asyncio.gather(*(self._delete(meta["namespace"], meta["name"]) for meta in expired[start : start + _BATCH]))
        return len(expired)

    async def _delete(self, namespace: str, name: str) -> None:
        caller = Caller(APISERVER, body=CANONICAL)
        try:
            await self._registry.endpoint(EVENTS).delete(namespace, name, DeleteOptions(), caller)
        except ApiError:
            return


def _is_expired(event: Object, now: datetime, latest: str) -> bool:
    """Timestamps that cannot be read count as old as the object. `latest`: what is seen in a later second need not be read."""
    seen = [event["metadata"].get("creationTimestamp"), event.get("lastTimestamp"), event.get("eventTime")]
    seen.append((event.get("series") or {}).get("lastObservedTime"))
    newest = max((text for text in seen if text), default="")
    if newest[:19] > latest[:19] and newest.endswith("Z"):
        return False
    try:
        return bool(newest) and now - times.parse(newest) > EVENT_TTL
    except ValueError:
        return False
