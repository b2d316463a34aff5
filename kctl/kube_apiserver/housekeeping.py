"""What kube-apiserver does from time to time: forget history (etcd compaction, every five minutes) and expired Events.

History is compacted to where it was one round ago, so that a watch has at least five minutes to resume. Events live an hour after
they were last seen (--event-ttl).
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from kctl.apimachinery import times
from kctl.apimachinery.clock import Timer
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
    """One timer and, while it works, one task."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._revision = 0
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._revision = self._registry.storage.revision
        self._timer = self._registry.clock.call_later(INTERVAL_SECONDS, self._begin)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._timer = self._registry.clock.call_later(INTERVAL_SECONDS, self._begin)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self.run_once())

    async def run_once(self) -> None:
        storage = self._registry.storage
        target, self._revision = self._revision, storage.revision
        try:
            await self.expire_events()
            if target > storage.compact_revision:
                await storage.compact(target)
        except StorageError as error:
            _LOG.warning("compaction to revision %d failed: %s", target, error)

    async def expire_events(self) -> int:
        """Delete the Events last seen more than an hour ago; how many there were."""
        now = self._registry.clock.now()
        endpoint = self._registry.endpoint(EVENTS)
        expired = [entry.object["metadata"] for entry in endpoint.cache.unordered() if _is_expired(entry.object, now)]
        for start in range(0, len(expired), _BATCH):
            await asyncio.gather(*(self._delete(meta["namespace"], meta["name"]) for meta in expired[start : start + _BATCH]))
        return len(expired)

    async def _delete(self, namespace: str, name: str) -> None:
        caller = Caller(APISERVER, body=CANONICAL)
        try:
            await self._registry.endpoint(EVENTS).delete(namespace, name, DeleteOptions(), caller)
        except ApiError:
            return


def _is_expired(event: Object, now: datetime) -> bool:
    """Timestamps that cannot be read count as old as the object."""
    seen = [event["metadata"].get("creationTimestamp"), event.get("lastTimestamp"), event.get("eventTime")]
    seen.append((event.get("series") or {}).get("lastObservedTime"))
    newest = max((text for text in seen if text), default="")
    try:
        return bool(newest) and now - times.parse(newest) > EVENT_TTL
    except ValueError:
        return False
