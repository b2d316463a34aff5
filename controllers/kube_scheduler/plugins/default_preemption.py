"""DefaultPreemption: whom to evict for a pod that found no node; and its words where nobody is.

Where all pods are of one priority there is nobody to evict: `evaluator` comes with the first pod of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.explain import fit_message
from controllers.kube_scheduler.framework import Code, CycleState, Nomination, Passes, Status
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from kctl.apimachinery import objects

if TYPE_CHECKING:
    from controllers.kube_scheduler.preemption.evaluator import Evaluator

_NOT_HELPFUL = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"


class DefaultPreemption:
    name = "DefaultPreemption"
    reads = Reads(spec=("preemptionPolicy", "priority"))

    def __init__(self, evaluator: Evaluator | None = None) -> None:
        self._evaluator = evaluator

    def post_filter(
        self, state: CycleState, pod: PodInfo, statuses: Mapping[str, Status], node_count: int, cache: Cache, passes: Passes
    ) -> Nomination | str:
        if pod.pod["spec"].get("preemptionPolicy") == "Never":
            return "preemption: not eligible due to preemptionPolicy=Never."
        if _has_evicted_already(pod, statuses, cache):
            return "preemption: not eligible due to a terminating pod on the nominated node."
        counts: dict[str, int] = {}
        if self._evaluator is not None:
            nomination, why = self._evaluator.find(state, pod, statuses, passes)
            if nomination is not None:
                return nomination
            reasons = [reason for status in why.values() for reason in status.reasons]
        else:
            reasons = [_NOT_HELPFUL if status.code is Code.UNRESOLVABLE else _NO_VICTIMS for status in statuses.values()]
        for reason in reasons:
            counts[reason] = counts.get(reason, 0) + 1
        return f"preemption: {fit_message(counts, node_count)}"


def _has_evicted_already(pod: PodInfo, statuses: Mapping[str, Status], cache: Cache) -> bool:
    """Victims on the node it was promised are about to go."""
    name = cache.nomination_of(pod.uid)
    node = cache.node(name) if name else None
    if node is None or (node.name in statuses and statuses[node.name].code is Code.UNRESOLVABLE):
        return False
    return any(other.priority < pod.priority and _is_leaving_for_another(other) for other in node.pods.values())


def _is_leaving_for_another(pod: PodInfo) -> bool:
    if not pod.pod["metadata"].get("deletionTimestamp"):
        return False
    target = objects.condition(pod.pod, "DisruptionTarget") or {}
    return target.get("status") == "True" and target.get("reason") == "PreemptionByScheduler"
