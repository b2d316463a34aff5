"""Carrying out a preemption: the node is promised, then its victims are told to go. Imported with the first one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.framework import Nomination
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.pod_writer import PodWriter
from controllers.runtime.events import NORMAL, EventRecorder
from kctl.apimachinery.status import ApiError, NotFound
from kctl.client.errors import ConnectionFailed

log = logging.getLogger(__name__)


class Evictions:
    """`background` runs what is not waited for; `room_was_made` is called where victims had gone before they were told."""

    def __init__(
        self,
        cache: Cache,
        writer: PodWriter,
        recorder_for: Callable[[PodInfo], EventRecorder],
        background: Callable[[Coroutine[Any, Any, None]], None],
        room_was_made: Callable[[], None],
    ) -> None:
        self._cache = cache
        self._writer = writer
        self._recorder_for = recorder_for
        self._background = background
        self._room_was_made = room_was_made
        self.under_way: set[str] = set()
        """Pods (uid) whose victims are being told to go."""

    def preempt(self, info: PodInfo, nomination: Nomination) -> None:
        """The node is promised at once; whoever of lower priority was promised it before has to look elsewhere."""
        node = self._cache.node(nomination.node)
        for other in list(node.nominated.values()) if node is not None else ():
            if other.priority < info.priority:
                self._cache.forget_nomination(other.uid)
                self._background(self._forget_promise(other))
        self._cache.nominate(info, nomination.node)
        self.under_way.add(info.uid)
        self._background(self._evict(info, nomination))

    async def _forget_promise(self, info: PodInfo) -> None:
        try:
            await self._writer.patch_status(info.pod, {"nominatedNodeName": None})
        except (ApiError, ConnectionFailed) as error:
            log.warning("status of %s: %s", info.key, error)

    async def _evict(self, info: PodInfo, nomination: Nomination) -> None:
        evicted = [victim for victim in nomination.victims if not victim.pod["metadata"].get("deletionTimestamp")]
        try:
            await asyncio.gather(*(self._evict_one(info, victim, nomination.node) for victim in evicted))
        finally:
            self.under_way.discard(info.uid)
        if not all(self._cache.holds(victim.uid) for victim in nomination.victims):  # gone already: nobody will say so again
            self._room_was_made()

    async def _evict_one(self, info: PodInfo, victim: PodInfo, node: str) -> None:
        try:
            await self._writer.evict(victim.pod, info.scheduler_name)
        except NotFound:
            return
        except (ApiError, ConnectionFailed) as error:
            log.warning("evicting %s for %s: %s", victim.key, info.key, error)
            return
        told = f"Preempted by pod {info.uid} on node {node}"
        self._recorder_for(info).event(victim.pod, NORMAL, "Preempted", told, action="Preempting", related=info.pod)
