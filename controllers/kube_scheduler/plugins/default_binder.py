"""DefaultBinder: posts the Binding."""

from __future__ import annotations

from controllers.kube_scheduler.framework import CycleState, Status
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from kctl.apimachinery import objects
from kctl.client.client import Client


class DefaultBinder:
    name = "DefaultBinder"
    reads = Reads()

    def __init__(self, client: Client) -> None:
        self._client = client

    async def bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        """Raises ApiError: Conflict for a pod that has a node already, NotFound for one that is gone."""
        await self._client.bind(objects.namespace(pod.pod), objects.name(pod.pod), node, uid=pod.uid)
        return None
