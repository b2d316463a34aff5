"""What the scheduler writes of pods beside bindings: conditions, promises of nodes, evictions."""

from __future__ import annotations

from kctl.apimachinery import objects, times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.client.client import Client
from kctl.client.transport import STRATEGIC_MERGE_PATCH


class PodWriter:
    """Every method raises ApiError and ConnectionFailed."""

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
