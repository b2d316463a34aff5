"""TaintToleration: keeps pods off nodes whose NoSchedule and NoExecute taints they do not tolerate, and prefers nodes with
fewer PreferNoSchedule taints they do not tolerate."""

from __future__ import annotations

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, normalize_by_maximum, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.runtime.tolerations import tolerates

_HARD = ("NoSchedule", "NoExecute")


class TaintToleration:
    name = "TaintToleration"
    depends_on = DependsOn.STATIC
    reads = Reads(spec=("tolerations",))

    @property
    def wakes(self) -> tuple[Wake, ...]:
        return (Wake(ClusterEvent.NODE_ADD | ClusterEvent.NODE_TAINT, self._tolerates),)

    def _tolerates(self, pod: PodInfo, node: NodeInfo | None) -> bool:
        return node is None or self.filter(CycleState(), pod, node) is None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        for taint in node.taints:
            if taint.get("effect") in _HARD and not any(tolerates(toleration, taint) for toleration in pod.shape.tolerations):
                return unresolvable(self.name, "node(s) had untolerated taint(s)")
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        """How many PreferNoSchedule taints are not tolerated."""
        soft = [toleration for toleration in pod.shape.tolerations if toleration.get("effect") in (None, "", "PreferNoSchedule")]
        return sum(
            1
            for taint in node.taints
            if taint.get("effect") == "PreferNoSchedule" and not any(tolerates(toleration, taint) for toleration in soft)
        )

    def normalize(self, scores: dict[str, int]) -> dict[str, int]:
        return normalize_by_maximum(scores, reverse=True)
