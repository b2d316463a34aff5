"""NodeUnschedulable: cordoned nodes take only pods that tolerate it."""

from __future__ import annotations

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.runtime.tolerations import tolerates

_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class NodeUnschedulable:
    name = "NodeUnschedulable"
    depends_on = DependsOn.STATIC
    reads = Reads(spec=("tolerations",))

    @property
    def wakes(self) -> tuple[Wake, ...]:
        return (Wake(ClusterEvent.NODE_ADD | ClusterEvent.NODE_TAINT, self._passes),)

    def _passes(self, pod: PodInfo, node: NodeInfo | None) -> bool:
        return node is None or self.filter(CycleState(), pod, node) is None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if node.unschedulable and not any(tolerates(toleration, _TAINT) for toleration in pod.shape.tolerations):
            return unresolvable(self.name, "node(s) were unschedulable")
        return None
