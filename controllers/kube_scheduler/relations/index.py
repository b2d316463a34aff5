"""How many pods of which kind are where: kept up as pods come and go, so that no scheduling cycle looks at all pods.

    counted   of the pods a subject means, by the value of a topology label on their nodes
    owned     of the pods that have a term themselves (their anti-affinity, or what they prefer), likewise

Every count is made once from all pods, when somebody first asks for it, and then changes by one with each pod.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.relations.terms import NamespaceLabels, Relations, Subject, Subjects, Term

_MOST_SUBJECTS = 512
"""Beyond so many all are forgotten: each costs something with every pod."""

Counts = dict[str, int]
"""By value of a topology label; values without a pod may be there with 0."""


class Owned(Enum):
    """What pods that are placed already say of those that come."""

    ANTI_AFFINITY = "requiredAntiAffinity"
    AFFINITY = "requiredAffinity"
    PREFERRED = "preferred"


class DomainCounts:
    """Pods of one subject by domain, over some nodes only. `domain_of` has the domain of each node that counts; domains without pods
    are there with 0."""

    __slots__ = ("__weakref__", "counts", "domain_of")

    def __init__(self, domain_of: Mapping[str, str]) -> None:
        self.domain_of = domain_of
        self.counts: Counts = dict.fromkeys(domain_of.values(), 0)

    def add(self, node: str, amount: int) -> None:
        domain = self.domain_of.get(node)
        if domain is not None:
            self.counts[domain] += amount


class _Counted:
    """Of one subject: pods on each node, and the sums that are asked for."""

    __slots__ = ("by_key", "by_node", "subject", "views")

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.by_node: Counts = {}
        self.by_key: dict[str, Counts] = {}
        self.views: weakref.WeakSet[DomainCounts] = weakref.WeakSet()

    def add(self, node: NodeInfo, amount: int) -> None:
        _add(self.by_node, node.name, amount)
        for key, counts in self.by_key.items():
            if key in node.labels:
                _add(counts, node.labels[key], amount)
        for view in self.views:
            view.add(node.name, amount)


class RelationIndex:
    """Watches a cache. `version` rises when the kinds of terms that placed pods have are others than before."""

    def __init__(self, cache: Cache, subjects: Subjects, namespace_labels: NamespaceLabels) -> None:
        self.cache = cache
        self.subjects = subjects
        self.namespace_labels = namespace_labels
        self.version = 0
        self._nodes_generation = -1
        self._counted: dict[bytes, _Counted] = {}
        self._owned: dict[tuple[Owned, bytes, str, int], tuple[Term, Counts]] = {}
        cache.observer = self._changed

    # ---- asking

    def matches(self, subject: Subject, pod: PodInfo) -> bool:
        return subject.matches(pod, self.namespace_labels)

    def counts(self, subject: Subject, topology_key: str) -> Counts:
        """Live: goes on changing."""
        counted = self._of(subject)
        counts = counted.by_key.get(topology_key)
        if counts is None:
            counts = counted.by_key[topology_key] = {}
            for name, amount in counted.by_node.items():
                node = self.cache.node(name)
                if node is not None and topology_key in node.labels:
                    _add(counts, node.labels[topology_key], amount)
        return counts

    def over(self, subject: Subject, domain_of: Mapping[str, str]) -> DomainCounts:
        """Live, for as long as the answer is kept."""
        counted, view = self._of(subject), DomainCounts(domain_of)
        for name, amount in counted.by_node.items():
            view.add(name, amount)
        counted.views.add(view)
        return view

    def on_node(self, subject: Subject, node: str) -> int:
        return self._of(subject).by_node.get(node, 0)

    def owned_by_others(self, kind: Owned, pod: PodInfo) -> Iterator[tuple[Term, Counts]]:
        """Terms of placed pods that mean this one, and where their owners are."""
        for (owned, *_), (term, counts) in self._owned.items():
            if owned is kind and self.matches(term.subject, pod):
                yield term, counts

    def _of(self, subject: Subject) -> _Counted:
        self.keep_up()
        counted = self._counted.get(subject.key)
        if counted is None:
            if len(self._counted) >= _MOST_SUBJECTS:
                self.rebuild()
            counted = self._counted[subject.key] = _Counted(subject)
            self._count(counted)
        return counted

    def _count(self, counted: _Counted) -> None:
        for node, pod in self._pods():
            if counted.subject.counts(pod, self.namespace_labels):
                counted.add(node, 1)

    # ---- keeping up

    def keep_up(self) -> None:
        """Nodes may have come, gone or got other labels."""
        if self._nodes_generation != self.cache.nodes_generation:
            self.rebuild()

    def forget(self) -> None:
        """The labels of a namespace have changed: who is meant may be others."""
        self.subjects.forget_answers()
        self._nodes_generation = -1
        self.version += 1

    def rebuild(self) -> None:
        """Everything anew: of what nobody asks for again nothing is kept."""
        self._nodes_generation = self.cache.nodes_generation
        self._counted.clear()
        self._owned.clear()
        self.version += 1
        for node, pod in self._pods():
            self._own(self.subjects.of(pod), node, 1)

    def _pods(self) -> Iterator[tuple[NodeInfo, PodInfo]]:
        for node in self.cache.nodes():
            for pod in node.pods.values():
                yield node, pod

    def _changed(self, node: NodeInfo, pod: PodInfo, amount: int) -> None:
        if self._nodes_generation < 0:
            return
        for counted in self._counted.values():
            if counted.subject.counts(pod, self.namespace_labels):
                counted.add(node, amount)
        if pod.shape.needs:
            self._own(self.subjects.of(pod), node, amount)

    def _own(self, relations: Relations, node: NodeInfo, amount: int) -> None:
        kinds: tuple[tuple[Owned, Iterable[Term]], ...] = (
            (Owned.ANTI_AFFINITY, relations.anti_affinity),
            (Owned.AFFINITY, relations.affinity),
            (Owned.PREFERRED, relations.preferred),
        )
        for kind, terms in kinds:
            for term in terms:
                key = kind, term.subject.key, term.topology_key, term.weight
                known = self._owned.get(key)
                if known is None:
                    known = self._owned[key] = term, {}
                    self.version += 1
                if term.topology_key in node.labels:
                    _add(known[1], node.labels[term.topology_key], amount)


def _add(counts: Counts, value: str, amount: int) -> None:
    left = counts.get(value, 0) + amount
    if left:
        counts[value] = left
    else:
        counts.pop(value, None)
