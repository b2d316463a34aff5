"""NodeAffinity: nodeSelector and required node affinity as a filter, preferred node affinity as a score."""

from __future__ import annotations

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, normalize_by_maximum, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from kctl.apimachinery.labels import Requirement
from kctl.apimachinery.objects import Object

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def _matches(expressions: list[Object], labels: dict[str, str]) -> bool:
    return all(
        Requirement(expression["key"], _OPERATORS[expression["operator"]], tuple(expression.get("values") or ())).matches(labels)
        for expression in expressions
    )


def term_matches(term: Object, node: NodeInfo) -> bool:
    """A NodeSelectorTerm; an empty one matches nothing. matchFields knows metadata.name."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return _matches(expressions, node.labels) and _matches(fields, {"metadata.name": node.name})


class NodeAffinity:
    name = "NodeAffinity"
    depends_on = DependsOn.STATIC
    reads = Reads(spec=("affinity", "nodeSelector"))

    def __init__(self, added: Object | None = None) -> None:
        """`added`: node affinity that every pod has beside its own (NodeAffinityArgs' addedAffinity)."""
        added = added or {}
        self._added = added.get("requiredDuringSchedulingIgnoredDuringExecution")
        self._added_preferred = added.get("preferredDuringSchedulingIgnoredDuringExecution") or ()

    @property
    def wakes(self) -> tuple[Wake, ...]:
        return (Wake(ClusterEvent.NODE_ADD | ClusterEvent.NODE_LABEL, self._matches),)

    def _matches(self, pod: PodInfo, node: NodeInfo | None) -> bool:
        return node is None or self.filter(CycleState(), pod, node) is None

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> Status | frozenset[str] | None:
        """Pods of a DaemonSet name their node, so there is no need to look at the others."""
        required = (pod.shape.affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
        names: set[str] = set()
        terms = (required or {}).get("nodeSelectorTerms") or ()
        for term in terms:
            named = [set(field.get("values") or ()) for field in term.get("matchFields") or () if _names_nodes(field)]
            if not named:
                return None
            names |= set.intersection(*named)
        if terms and not names:
            return unresolvable(self.name, "pod affinity terms conflict")
        return frozenset(names) if terms else None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if self._added is not None and not any(term_matches(term, node) for term in self._added.get("nodeSelectorTerms") or ()):
            return unresolvable(self.name, "node(s) didn't match scheduler-enforced node affinity")
        labels = node.labels
        fits = all(labels.get(key) == value for key, value in pod.shape.node_selector.items())
        required = (pod.shape.affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
        if fits and required is not None:
            fits = any(term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())
        return None if fits else unresolvable(self.name, "node(s) didn't match Pod's node affinity/selector")

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        preferred = (pod.shape.affinity.get("nodeAffinity") or {}).get("preferredDuringSchedulingIgnoredDuringExecution")
        return sum(
            int(term["weight"])
            for term in (*(preferred or ()), *self._added_preferred)
            if not _is_empty(term.get("preference") or {}) and term_matches(term["preference"], node)
        )

    def normalize(self, scores: dict[str, int]) -> dict[str, int]:
        return normalize_by_maximum(scores)


def _names_nodes(field: Object) -> bool:
    return bool(field.get("key") == "metadata.name" and field.get("operator") == "In")


def _is_empty(term: Object) -> bool:
    return not term.get("matchExpressions") and not term.get("matchFields")
