"""NodeName: a pod that names its node fits only there."""

from __future__ import annotations

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, Reads


class NodeName:
    name = "NodeName"
    depends_on = DependsOn.STATIC
    reads = Reads(spec=("nodeName",))
    wakes = (Wake(ClusterEvent.NODE_ADD, lambda pod, node: node is None or node.name == pod.shape.node_name),)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        wanted = pod.shape.node_name
        if wanted and wanted != node.name:
            return unresolvable(self.name, "node(s) didn't match the requested node name")
        return None
