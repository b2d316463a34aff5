"""NodeUnschedulable: cordoned nodes take only pods that tolerate it."""

from __future__ import annotations

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import CycleState, DependsOn, Status, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.tolerations import tolerates

_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class NodeUnschedulable:
    name = "NodeUnschedulable"
    depends_on = DependsOn.STATIC

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if node.unschedulable and not any(tolerates(entry, _TAINT) for entry in pod.shape.tolerations):
            return unresolvable(self.name, "node(s) were unschedulable")
        return None
