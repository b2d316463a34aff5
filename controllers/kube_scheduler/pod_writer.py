"""What the scheduler writes of pods beside bindings: conditions, promises of nodes, evictions."""

from __future__ import annotations

import logging

from kctl.apimachinery import objects, times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import ApiError
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.transport import STRATEGIC_MERGE_PATCH

log = logging.getLogger(__name__)


class PodWriter:
    """`patch_status` and `evict` raise ApiError and ConnectionFailed."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def condition(self, pod: Object, type: str, status: str, reason: str, message: str) -> Object:
        """With the time of its last change, which is now where `pod` has it otherwise."""
        old = objects.condition(pod, type) or {}
        transition = times.rfc3339(self._clock.now()) if old.get("status") != status else old.get("lastTransitionTime")
        return {
            "type": type,
            "status": status,
            "reason": reason,
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": transition,
            "observedGeneration": objects.generation(pod),
        }

    async def say_why(self, pod: Object, reason: str, message: str, promised: str) -> None:
        """Why it has no node, and which one it was promised ('' for none); unless the pod says so already."""
        old = objects.condition(pod, "PodScheduled") or {}
        is_known = (pod.get("status") or {}).get("nominatedNodeName", "") == promised
        if is_known and (old.get("status"), old.get("reason"), old.get("message")) == ("False", reason, message):
            return
        status: Object = {"conditions": [self.condition(pod, "PodScheduled", "False", reason, message)]}
        if promised:
            status["nominatedNodeName"] = promised
        try:
            await self.patch_status(pod, status)
        except (ApiError, ConnectionFailed) as error:
            log.warning("status of %s: %s", objects.key(pod), error)

    async def patch_status(self, pod: Object, status: Object) -> None:
        await self._client.patch(
            PODS,
            objects.name(pod),
            {"metadata": {"uid": objects.uid(pod)}, "status": status},
            objects.namespace(pod),
            patch_type=STRATEGIC_MERGE_PATCH,
            subresource="status",
        )

    async def evict(self, pod: Object, scheduler_name: str) -> None:
        """Says why, then deletes it with its own grace period."""
        message = f"{scheduler_name}: preempting to accommodate a higher priority pod"
        condition = self.condition(pod, "DisruptionTarget", "True", "PreemptionByScheduler", message)
        await self.patch_status(pod, {"conditions": [condition]})
        await self._client.delete(PODS, objects.name(pod), objects.namespace(pod), uid=objects.uid(pod))
