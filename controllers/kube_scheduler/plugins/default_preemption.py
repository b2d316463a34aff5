"""DefaultPreemption's words where it evicts nobody. Choosing victims is not implemented: a pod of higher priority waits."""

from __future__ import annotations

from collections.abc import Mapping

from controllers.kube_scheduler.explain import fit_message
from controllers.kube_scheduler.framework import Code, CycleState, Status
from controllers.kube_scheduler.pod_info import PodInfo, Reads

_NOT_HELPFUL = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"


class DefaultPreemption:
    name = "DefaultPreemption"
    reads = Reads(spec=("preemptionPolicy", "priority"))

    def post_filter(self, state: CycleState, pod: PodInfo, statuses: Mapping[str, Status], node_count: int) -> str:
        if pod.pod["spec"].get("preemptionPolicy") == "Never":
            return "preemption: not eligible due to preemptionPolicy=Never."
        counts: dict[str, int] = {}
        for status in statuses.values():
            reason = _NOT_HELPFUL if status.code is Code.UNRESOLVABLE else _NO_VICTIMS
            counts[reason] = counts.get(reason, 0) + 1
        return f"preemption: {fit_message(counts, node_count)}"
