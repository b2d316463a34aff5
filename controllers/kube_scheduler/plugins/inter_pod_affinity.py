"""InterPodAffinity: near to the pods that a pod wants to be near to, away from those it wants to be away from, and from those that want
to be away from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import (
    MAX_NODE_SCORE,
    ClusterEvent,
    CycleState,
    DependsOn,
    FeasibleGroup,
    Status,
    Wake,
    unresolvable,
    unschedulable,
)
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.kube_scheduler.relations.index import Counts, Owned, RelationIndex

_AFFINITY = "node(s) didn't match pod affinity rules"
_ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
_THEIRS = "node(s) didn't satisfy existing pods anti-affinity rules"


@dataclass(slots=True)
class _State:
    """Live counts, so that it stays true while pods are placed. Each a list of (topology key, counts[, weight])."""

    affinity: list[tuple[str, Counts]]
    begins: bool
    """The pod is one of those it wants to be near to: then it may be the first."""
    anti_affinity: list[tuple[str, Counts]]
    theirs: list[tuple[str, Counts]]
    scores: list[tuple[str, Counts, int]]
    first: bool = False


class InterPodAffinity:
    name = "InterPodAffinity"
    depends_on = DependsOn.CLUSTER
    reads = Reads(spec=("affinity",), metadata=("labels", "namespace"))
    wakes = (
        Wake(
            ClusterEvent.NODE_ADD
            | ClusterEvent.NODE_LABEL
            | ClusterEvent.ASSIGNED_POD_ADD
            | ClusterEvent.ASSIGNED_POD_UPDATE
            | ClusterEvent.ASSIGNED_POD_DELETE
        ),
    )

    def __init__(self, index: RelationIndex, hard_weight: int = 1, *, ignore_theirs: bool = False) -> None:
        """`hard_weight`: what the required affinity of a placed pod counts in scoring for one that comes. `ignore_theirs`: what placed
        pods prefer does not count for one that prefers nothing itself. (InterPodAffinityArgs.)"""
        self._index = index
        self._hard_weight = hard_weight
        self._ignore_theirs = ignore_theirs

    @property
    def version(self) -> int:
        return self._index.version

    def topology_keys(self, pod: PodInfo) -> frozenset[str]:
        relations, index = self._index.subjects.of(pod), self._index
        index.keep_up()
        own = (*relations.affinity, *relations.anti_affinity, *relations.preferred)
        theirs = [term for kind in Owned for term, _ in index.owned_by_others(kind, pod)]
        return frozenset(term.topology_key for term in (*own, *theirs))

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> None:
        index = self._index
        index.keep_up()
        relations = index.subjects.of(pod)
        scores = [(term.topology_key, index.counts(term.subject, term.topology_key), term.weight) for term in relations.preferred]
        if scores or not self._ignore_theirs:
            for term, counts in index.owned_by_others(Owned.AFFINITY, pod):
                scores.append((term.topology_key, counts, self._hard_weight))
            for term, counts in index.owned_by_others(Owned.PREFERRED, pod):
                scores.append((term.topology_key, counts, term.weight))
        affine = relations.affine
        state.data[self.name] = _State(
            affinity=[(term.topology_key, index.counts(affine, term.topology_key)) for term in relations.affinity if affine is not None],
            begins=affine is not None and index.matches(affine, pod),
            anti_affinity=[(term.topology_key, index.counts(term.subject, term.topology_key)) for term in relations.anti_affinity],
            theirs=[(term.topology_key, counts) for term, counts in index.owned_by_others(Owned.ANTI_AFFINITY, pod)],
            scores=scores,
        )

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        known: _State = state.data[self.name]
        labels = node.labels
        if known.affinity and not self._is_near(known, labels):
            return unresolvable(self.name, _AFFINITY)
        for key, counts in known.anti_affinity:
            if counts.get(labels.get(key, ""), 0) and key in labels:
                return unschedulable(self.name, _ANTI_AFFINITY)
        for key, counts in known.theirs:
            if counts.get(labels.get(key, ""), 0) and key in labels:
                return unschedulable(self.name, _THEIRS)
        return None

    def _is_near(self, known: _State, labels: dict[str, str]) -> bool:
        if any(key not in labels for key, _ in known.affinity):
            return False
        if all(counts.get(labels[key], 0) for key, counts in known.affinity):
            return True
        return known.first

    # ---- scores

    def begin(self, state: CycleState) -> bool:
        """The first pod of a kind that wants to be together may go anywhere."""
        known: _State = state.data[self.name]
        first = known.begins and not any(counts for _, counts in known.affinity)
        changed, known.first = first is not known.first, first
        return changed

    def pre_score(self, state: CycleState, groups: Callable[[], Sequence[FeasibleGroup]]) -> bool:
        """Its scores do not go by which nodes are feasible."""
        return False

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        """The weights of the terms, as often as there is a pod in the node's domain."""
        known: _State = state.data[self.name]
        labels = node.labels
        return sum(weight * counts.get(labels[key], 0) for key, counts, weight in known.scores if key in labels)

    def normalize(self, scores: dict[str, int]) -> dict[str, int]:
        lowest, highest = min(scores.values(), default=0), max(scores.values(), default=0)
        if lowest == highest:
            return dict.fromkeys(scores, 0)
        return {name: MAX_NODE_SCORE * (score - lowest) // (highest - lowest) for name, score in scores.items()}
