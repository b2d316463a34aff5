"""NodeResourcesBalancedAllocation: prefers nodes on which cpu and memory are used to the same degree."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import MAX_NODE_SCORE, CycleState, DependsOn
from controllers.kube_scheduler.pod_info import PodInfo, Reads, Resources


def _balance(milli_cpu: int, memory: int, node: NodeInfo) -> float:
    """1 when both fractions are equal; lower by half their difference (the standard deviation of two values)."""
    allocatable = node.allocatable
    fractions = [
        min(used / capacity, 1.0) for used, capacity in ((milli_cpu, allocatable.milli_cpu), (memory, allocatable.memory)) if capacity
    ]
    return 1.0 - abs(fractions[0] - fractions[1]) / 2 if len(fractions) == 2 else 1.0


class NodeResourcesBalancedAllocation:
    name = "NodeResourcesBalancedAllocation"
    depends_on = DependsOn.NODE
    reads = Reads(spec=("overhead", "resources"), containers=("resources", "restartPolicy"))

    def __init__(self, resources: Sequence[str] = ()) -> None:
        """`resources`: other ones than cpu and memory."""
        self._resources = resources

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        """50 where the pod leaves the balance as it is, more where it improves it. A pod that requests nothing scores 0."""
        request, requested = pod.shape.request, node.requested
        if self._resources:
            return self._score(request, node)
        if not request.milli_cpu and not request.memory:
            return 0
        before = _balance(requested.milli_cpu, requested.memory, node)
        after = _balance(requested.milli_cpu + request.milli_cpu, requested.memory + request.memory, node)
        return int(((after - before) / 2 + 0.5) * MAX_NODE_SCORE)

    def _score(self, request: Resources, node: NodeInfo) -> int:
        from controllers.kube_scheduler.resource_scoring import amount, balance

        names = self._resources
        wanted, used = [amount(request, name) for name in names], [amount(node.requested, name) for name in names]
        if not any(wanted):
            return 0
        before, after = balance(names, used, node), balance(names, [one + other for one, other in zip(used, wanted, strict=True)], node)
        return int(((after - before) / 2 + 0.5) * MAX_NODE_SCORE)

    def normalize(self, scores: dict[str, int]) -> dict[str, int]:
        return scores
