"""NodeResourcesFit: the node must have what the pod requests left; nodes with more left score higher (LeastAllocated)."""

from __future__ import annotations

from collections.abc import Callable

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import (
    MAX_NODE_SCORE,
    ClusterEvent,
    CycleState,
    DependsOn,
    Status,
    Wake,
    unresolvable,
    unschedulable,
)
from controllers.kube_scheduler.pod_info import PodInfo, Reads

Ignored = Callable[[str], bool]


def insufficient(pod: PodInfo, node: NodeInfo, ignored: Ignored | None = None) -> tuple[list[str], bool]:
    """What does not fit, in upstream's order and words; and whether it would not fit an empty node either. `ignored`: resources that
    somebody else looks after."""
    shape, allocatable, requested = pod.shape, node.allocatable, node.requested
    reasons: list[str] = []
    hopeless = False
    if len(node.pods) + 1 > node.allowed_pods:
        reasons.append("Too many pods")
    if shape.empty_request:
        return reasons, False
    request = shape.request
    for name, wanted, used, available in (
        ("cpu", request.milli_cpu, requested.milli_cpu, allocatable.milli_cpu),
        ("memory", request.memory, requested.memory, allocatable.memory),
        ("ephemeral-storage", request.ephemeral_storage, requested.ephemeral_storage, allocatable.ephemeral_storage),
    ):
        if wanted and wanted > available - used:
            reasons.append(f"Insufficient {name}")
            hopeless |= wanted > available
    for name, wanted in request.scalars.items():
        if ignored is not None and ignored(name):
            continue
        available = allocatable.scalars.get(name, 0)
        if wanted and wanted > available - requested.scalars.get(name, 0):
            reasons.append(f"Insufficient {name}")
            hopeless |= wanted > available
    return reasons, hopeless


class NodeResourcesFit:
    name = "NodeResourcesFit"
    depends_on = DependsOn.NODE
    reads = Reads(spec=("overhead", "resources"), containers=("resources", "restartPolicy"))

    def __init__(self, scorer: Callable[[PodInfo, NodeInfo], int] | None = None, ignored: Ignored | None = None) -> None:
        """`scorer`: in place of LeastAllocated over cpu and memory."""
        self._scorer = scorer
        self._ignored = ignored

    @property
    def wakes(self) -> tuple[Wake, ...]:
        return (Wake(ClusterEvent.NODE_ADD | ClusterEvent.NODE_ALLOCATABLE, self._could_fit), Wake(ClusterEvent.ASSIGNED_POD_DELETE))

    def _could_fit(self, pod: PodInfo, node: NodeInfo | None) -> bool:
        """Whether the node would do if it were empty."""
        return node is None or not insufficient(pod, node, self._ignored)[1]

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        reasons, hopeless = insufficient(pod, node, self._ignored)
        if not reasons:
            return None
        return unresolvable(self.name, *reasons) if hopeless else unschedulable(self.name, *reasons)

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        """The mean over cpu and memory of the share left free with the pod on the node, 0..100."""
        if self._scorer is not None:
            return self._scorer(pod, node)
        allocatable = node.allocatable
        total = weights = 0
        for capacity, used in (
            (allocatable.milli_cpu, node.non_zero_milli_cpu + pod.shape.non_zero_milli_cpu),
            (allocatable.memory, node.non_zero_memory + pod.shape.non_zero_memory),
        ):
            if capacity:
                weights += 1
                total += (capacity - used) * MAX_NODE_SCORE // capacity if used <= capacity else 0
        return total // weights if weights else 0

    def normalize(self, scores: dict[str, int]) -> dict[str, int]:
        return scores
