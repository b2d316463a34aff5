"""PodTopologySpread: pods of a kind spread evenly over the domains of a topology."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import (
    MAX_NODE_SCORE,
    NODE_ITSELF,
    ClusterEvent,
    CycleState,
    DependsOn,
    FeasibleGroup,
    FilterPlugin,
    Status,
    Wake,
    unresolvable,
    unschedulable,
)
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.kube_scheduler.relations.default_constraints import DefaultConstraints
from controllers.kube_scheduler.relations.index import DomainCounts, RelationIndex
from controllers.kube_scheduler.relations.terms import Constraint

_HOST_NAME = "kubernetes.io/hostname"
_UNEVEN = "node(s) didn't match pod topology spread constraints"
_NO_LABEL = f"{_UNEVEN} (missing required label)"
_NO_STATE = CycleState()
_IGNORED = -1
"""The raw score of a node that lacks a label."""


@dataclass(slots=True)
class _Hard:
    constraint: Constraint
    counts: DomainCounts
    own: int
    """Whether the pod counts itself."""
    least: int = 0


@dataclass(slots=True)
class _Soft:
    constraint: Constraint
    counts: DomainCounts | None
    """None where each node is a domain: then the pods on it count."""
    weight: float = 0.0


@dataclass(slots=True)
class _State:
    hard: list[_Hard]
    soft: list[_Soft]
    everywhere: bool = True


class PodTopologySpread:
    name = "PodTopologySpread"
    depends_on = DependsOn.CLUSTER
    wakes = (
        Wake(
            ClusterEvent.NODE_ADD
            | ClusterEvent.NODE_LABEL
            | ClusterEvent.NODE_TAINT
            | ClusterEvent.NODE_DELETE
            | ClusterEvent.ASSIGNED_POD_ADD
            | ClusterEvent.ASSIGNED_POD_UPDATE
            | ClusterEvent.ASSIGNED_POD_DELETE
        ),
    )

    def __init__(
        self,
        index: RelationIndex,
        node_affinity: FilterPlugin,
        taint_toleration: FilterPlugin,
        defaults: DefaultConstraints | None = None,
    ) -> None:
        """The filters say which nodes count for constraints that honor affinity and taints. `defaults`: for pods without constraints."""
        self._defaults = defaults
        more = ("ownerReferences",) if defaults is not None else ()
        spec = ("affinity", "nodeSelector", "tolerations", "topologySpreadConstraints")
        self.reads = Reads(spec=spec, metadata=("labels", "namespace", *more))
        self._index = index
        self._node_affinity = node_affinity
        self._taint_toleration = taint_toleration

    @property
    def version(self) -> int:
        return self._defaults.version if self._defaults is not None else 0

    def _constraints(self, pod: PodInfo) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...], bool]:
        """(hard, soft, whether only nodes with all of the labels count)."""
        if self._defaults is None or pod.pod["spec"].get("topologySpreadConstraints"):
            relations = self._index.subjects.of(pod)
            return relations.spread, relations.spread_softly, True
        return *self._defaults.of(pod), self._defaults.everywhere

    def topology_keys(self, pod: PodInfo) -> frozenset[str]:
        hard, soft, _ = self._constraints(pod)
        keys = {constraint.topology_key for constraint in (*hard, *soft)}
        if any(constraint.topology_key == _HOST_NAME for constraint in soft):
            keys.add(NODE_ITSELF)
        return frozenset(keys)

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> None:
        hard, soft, everywhere = self._constraints(pod)
        nodes = list(cache.nodes()) if hard or soft else []
        together = soft if everywhere else ()
        state.data[self.name] = _State(
            hard=[
                _Hard(constraint, self._over(pod, constraint, hard, nodes), int(self._index.matches(constraint.subject, pod)))
                for constraint in hard
            ],
            soft=[
                _Soft(constraint, None if constraint.topology_key == _HOST_NAME else self._over(pod, constraint, together, nodes))
                for constraint in soft
            ],
            everywhere=everywhere,
        )

    def _over(self, pod: PodInfo, constraint: Constraint, together: Sequence[Constraint], nodes: Sequence[NodeInfo]) -> DomainCounts:
        """Over the nodes that have the labels of all constraints, and that the pod could go to as far as the constraint minds."""
        domains = {}
        for node in nodes:
            if constraint.topology_key not in node.labels or any(each.topology_key not in node.labels for each in together):
                continue
            if constraint.honor_affinity and self._node_affinity.filter(_NO_STATE, pod, node) is not None:
                continue
            if constraint.honor_taints and self._taint_toleration.filter(_NO_STATE, pod, node) is not None:
                continue
            domains[node.name] = node.labels[constraint.topology_key]
        return self._index.over(constraint.subject, domains)

    # ---- DoNotSchedule

    def begin(self, state: CycleState) -> bool:
        """The domain with the fewest decides for all."""
        known: _State = state.data[self.name]
        changed = False
        for hard in known.hard:
            counts = hard.counts.counts
            few = len(counts) < hard.constraint.min_domains
            least = 0 if few else min(counts.values(), default=2**31 - 1)
            changed |= least != hard.least
            hard.least = least
        return changed

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        known: _State = state.data[self.name]
        for hard in known.hard:
            domain = node.labels.get(hard.constraint.topology_key)
            if domain is None:
                return unresolvable(self.name, _NO_LABEL)
            if hard.counts.counts.get(domain, 0) + hard.own - hard.least > hard.constraint.max_skew:
                return unschedulable(self.name, _UNEVEN)
        return None

    # ---- ScheduleAnyway

    def pre_score(self, state: CycleState, groups: Callable[[], Sequence[FeasibleGroup]]) -> bool:
        """How much each constraint weighs goes by the number of its domains among the nodes that are feasible."""
        known: _State = state.data[self.name]
        if not known.soft:
            return False
        keys = [soft.constraint.topology_key for soft in known.soft]
        chosen = [group for group in groups() if not known.everywhere or all(key in group.node.labels for key in keys)]
        changed = False
        for soft, key in zip(known.soft, keys, strict=True):
            if soft.counts is None:
                size = sum(group.size for group in chosen)
            else:
                size = len({group.node.labels.get(key) for group in chosen})
            weight = math.log(size + 2)
            changed |= weight != soft.weight
            soft.weight = weight
        return changed

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        known: _State = state.data[self.name]
        total = 0.0
        for soft in known.soft:
            constraint = soft.constraint
            domain = node.labels.get(constraint.topology_key)
            if domain is None and known.everywhere:
                return _IGNORED
            if domain is None:
                continue
            if soft.counts is None:
                count = self._index.on_node(constraint.subject, node.name)
            else:
                count = soft.counts.counts.get(domain, 0)
            total += count * soft.weight + (constraint.max_skew - 1)
        return math.floor(total + 0.5)

    def normalize(self, scores: dict[str, int]) -> dict[str, int]:
        kept = [score for score in scores.values() if score != _IGNORED]
        lowest, highest = min(kept, default=0), max(kept, default=0)
        return {name: _normalized(score, lowest, highest) for name, score in scores.items()}


def _normalized(score: int, lowest: int, highest: int) -> int:
    if score == _IGNORED:
        return 0
    return MAX_NODE_SCORE * (highest + lowest - score) // highest if highest else MAX_NODE_SCORE
