"""NodePorts: two pods cannot have the same host port on one node."""

from __future__ import annotations

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo, Reads


class NodePorts:
    name = "NodePorts"
    depends_on = DependsOn.NODE
    reads = Reads(spec=("hostNetwork",), containers=("ports", "restartPolicy"))
    wakes = (Wake(ClusterEvent.NODE_ADD | ClusterEvent.ASSIGNED_POD_DELETE),)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        ports = pod.shape.host_ports
        if ports and not all(node.port_is_free(port) for port in ports):
            return unschedulable(self.name, "node(s) didn't have free ports for the requested pod ports")
        return None
