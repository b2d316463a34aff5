"""Scores of NodeResourcesFit and NodeResourcesBalancedAllocation for other resources and strategies than the default ones. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import MAX_NODE_SCORE
from controllers.kube_scheduler.pod_info import PodInfo, Resources
from kctl.apimachinery.objects import Object

Scorer = Callable[[PodInfo, NodeInfo], int]
_Amounts = Iterator[tuple[int, int, int]]
"""Of each resource that counts: what would be used with the pod there, what there is, and the weight."""

_MOST_SCORE = 10
"""Of a point of a RequestedToCapacityRatio's shape."""


def fit_scorer(strategy: Object) -> Scorer | None:
    """Of NodeResourcesFitArgs' scoringStrategy, with its defaults. None for the default one."""
    resources = [(str(resource["name"]), int(resource["weight"])) for resource in strategy["resources"]]
    if strategy["type"] == "LeastAllocated":
        return None if resources == [("cpu", 1), ("memory", 1)] else lambda pod, node: _mean(_amounts(pod, node, resources), _least)
    if strategy["type"] == "MostAllocated":
        return lambda pod, node: _mean(_amounts(pod, node, resources), _most)
    shape = strategy["requestedToCapacityRatio"]["shape"]
    scale = MAX_NODE_SCORE // _MOST_SCORE
    points = [(int(point.get("utilization", 0)), int(point.get("score", 0)) * scale) for point in shape]
    return lambda pod, node: _ratio(_amounts(pod, node, resources), points)


def _amounts(pod: PodInfo, node: NodeInfo, resources: Sequence[tuple[str, int]]) -> _Amounts:
    """cpu and memory count for pods that request none of them too; of others only those that the pod requests."""
    shape = pod.shape
    for name, weight in resources:
        if name == "cpu":
            used, capacity = node.non_zero_milli_cpu + shape.non_zero_milli_cpu, node.allocatable.milli_cpu
        elif name == "memory":
            used, capacity = node.non_zero_memory + shape.non_zero_memory, node.allocatable.memory
        else:
            wanted = amount(shape.request, name)
            if not wanted and name != "ephemeral-storage":
                continue
            used, capacity = amount(node.requested, name) + wanted, amount(node.allocatable, name)
        if capacity:
            yield used, capacity, weight


def amount(resources: Resources, name: str) -> int:
    if name == "cpu":
        return resources.milli_cpu
    if name == "memory":
        return resources.memory
    return resources.ephemeral_storage if name == "ephemeral-storage" else resources.scalars.get(name, 0)


def _mean(amounts: _Amounts, score: Callable[[int, int], int]) -> int:
    total = weights = 0
    for used, capacity, weight in amounts:
        total += score(used, capacity) * weight
        weights += weight
    return total // weights if weights else 0


def _least(used: int, capacity: int) -> int:
    return (capacity - used) * MAX_NODE_SCORE // capacity if used <= capacity else 0


def _most(used: int, capacity: int) -> int:
    return min(used, capacity) * MAX_NODE_SCORE // capacity


def _ratio(amounts: _Amounts, points: Sequence[tuple[int, int]]) -> int:
    """The mean of those that score at all, rounded."""
    total = weights = 0
    for used, capacity, weight in amounts:
        score = on_shape(points, 100 if used > capacity else used * 100 // capacity)
        if score > 0:
            total += score * weight
            weights += weight
    return int(total / weights + 0.5) if weights else 0


def on_shape(points: Sequence[tuple[int, int]], utilization: int) -> int:
    """Along straight lines from one point to the next, flat before the first and behind the last; whole numbers, cut towards 0."""
    before = points[0]
    if utilization <= before[0]:
        return before[1]
    for point in points[1:]:
        if utilization <= point[0]:
            rise, run = (point[1] - before[1]) * (utilization - before[0]), point[0] - before[0]
            return before[1] + (rise // run if rise >= 0 else -(-rise // run))
        before = point
    return before[1]


def balance(resources: Sequence[str], requested: Sequence[int], node: NodeInfo) -> float:
    """1 when the same share of every resource is requested; lower by the standard deviation of the shares."""
    shares = [
        min(used / capacity, 1.0) for name, used in zip(resources, requested, strict=True) if (capacity := amount(node.allocatable, name))
    ]
    if len(shares) < 2:
        return 1.0
    mean = sum(shares) / len(shares)
    if len(shares) == 2:
        return 1.0 - abs(shares[0] - shares[1]) / 2
    return float(1.0 - (sum((share - mean) ** 2 for share in shares) / len(shares)) ** 0.5)
