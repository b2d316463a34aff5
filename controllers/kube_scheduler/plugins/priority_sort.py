"""PrioritySort: higher priority first, then whoever has waited longer."""

from __future__ import annotations

from controllers.kube_scheduler.pod_info import QueuedPod, Reads


class PrioritySort:
    name = "PrioritySort"
    reads = Reads(spec=("priority",))

    def key(self, queued: QueuedPod) -> tuple[int, float]:
        return (-queued.priority, queued.added_at)
