"""SchedulingGates: a pod with gates is not considered until they are removed."""

from __future__ import annotations

from controllers.kube_scheduler.framework import Status, Wake, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, Reads


class SchedulingGates:
    name = "SchedulingGates"
    reads = Reads(spec=("schedulingGates",))
    wakes: tuple[Wake, ...] = ()

    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        gates = [gate["name"] for gate in pod.pod["spec"].get("schedulingGates") or ()]
        if not gates:
            return None
        return unresolvable(self.name, f"waiting for scheduling gates: [{' '.join(gates)}]")
