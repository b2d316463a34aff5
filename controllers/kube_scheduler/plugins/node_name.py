"""NodeName: a pod that names its node fits only there."""

from __future__ import annotations

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import CycleState, DependsOn, Status, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo


class NodeName:
    name = "NodeName"
    depends_on = DependsOn.STATIC

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        wanted = pod.shape.node_name
        if wanted and wanted != node.name:
            return unresolvable(self.name, "node(s) didn't match the requested node name")
        return None
