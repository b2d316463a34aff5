"""What a pod says of other pods: terms of pod affinity and anti-affinity, and constraints of topology spreading, ready to be matched.

matchLabelKeys and mismatchLabelKeys are in the selectors already: the API server has merged them when the pod was created.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from controllers.kube_scheduler.pod_info import PodInfo, PodShape
from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object

NamespaceLabels = Callable[[str], Mapping[str, str]]


class Subject:
    """Which pods are meant: of some namespaces, with some labels. Equal ones are one object within a `Subjects`. A subject of spreading
    does not count pods that are being deleted (`alive`)."""

    __slots__ = ("_namespace_selector", "_namespaces", "_selectors", "alive", "key", "known")

    def __init__(
        self, key: bytes, namespaces: frozenset[str], namespace_selector: Selector | None, selectors: tuple[Selector, ...], alive: bool
    ) -> None:
        self.key = key
        self.alive = alive
        self._namespaces = namespaces
        self._namespace_selector = namespace_selector
        self._selectors = selectors
        self.known: dict[PodShape, bool] = {}

    def matches(self, pod: PodInfo, namespace_labels: NamespaceLabels) -> bool:
        """Whether it is of the kind; pods of one shape have the same namespace and labels, so one answer goes for all."""
        answer = self.known.get(pod.shape)
        if answer is None:
            if len(self.known) >= _SHAPES:
                self.known.clear()
            answer = self.known[pod.shape] = self._matches(pod.pod, namespace_labels)
        return answer

    def _matches(self, pod: Object, namespace_labels: NamespaceLabels) -> bool:
        namespace = objects.namespace(pod)
        if namespace not in self._namespaces:
            chosen = self._namespace_selector
            if chosen is None or not chosen.matches(namespace_labels(namespace)):
                return False
        own = objects.labels(pod)
        return all(selector.matches(own) for selector in self._selectors)

    def counts(self, pod: PodInfo, namespace_labels: NamespaceLabels) -> bool:
        """Whether the pod is one of those now."""
        return self.matches(pod, namespace_labels) and not (self.alive and "deletionTimestamp" in pod.pod["metadata"])


_SHAPES = 4096


@dataclass(frozen=True, slots=True)
class Term:
    subject: Subject
    topology_key: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Constraint:
    """One of topologySpreadConstraints, with its defaults filled in."""

    subject: Subject
    topology_key: str
    max_skew: int
    min_domains: int
    honor_affinity: bool
    honor_taints: bool


@dataclass(frozen=True, slots=True)
class Relations:
    """Everything one shape of pods says of others. `affine`: the pods that all terms of the required affinity mean together."""

    affinity: tuple[Term, ...] = ()
    affine: Subject | None = None
    anti_affinity: tuple[Term, ...] = ()
    preferred: tuple[Term, ...] = ()
    """Those of preferred anti-affinity have negative weights."""
    spread: tuple[Constraint, ...] = ()
    spread_softly: tuple[Constraint, ...] = ()

    @property
    def any_affinity(self) -> bool:
        return bool(self.affinity or self.anti_affinity or self.preferred)


_NONE = Relations()


class Subjects:
    """Reads pods' relations; the oldest are forgotten."""

    def __init__(self) -> None:
        self._subjects: dict[bytes, Subject] = {}
        self._relations: dict[PodShape, Relations] = {}

    def forget_answers(self) -> None:
        """The labels of a namespace have changed."""
        for subject in self._subjects.values():
            subject.known.clear()

    def of(self, pod: PodInfo) -> Relations:
        if "relations" not in pod.shape.needs:
            return _NONE
        known = self._relations.get(pod.shape)
        if known is None:
            if len(self._relations) >= _SHAPES:
                self._relations.clear()
                self._subjects.clear()
            known = self._relations[pod.shape] = self._read(pod.pod)
        return known

    def _read(self, pod: Object) -> Relations:
        spec: Object = pod["spec"]
        affinity = spec.get("affinity") or {}
        near, apart = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
        required = [*(near.get("requiredDuringSchedulingIgnoredDuringExecution") or ())]
        constraints = [(each.get("whenUnsatisfiable"), self._constraint(pod, each)) for each in spec.get("topologySpreadConstraints") or ()]
        return Relations(
            affinity=tuple(self._term(pod, term) for term in required),
            affine=self._all_of(pod, required) if required else None,
            anti_affinity=tuple(self._term(pod, term) for term in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or ()),
            preferred=(*self._preferred(pod, near, 1), *self._preferred(pod, apart, -1)),
            spread=tuple(constraint for when, constraint in constraints if when != "ScheduleAnyway"),
            spread_softly=tuple(constraint for when, constraint in constraints if when == "ScheduleAnyway"),
        )

    def _preferred(self, pod: Object, affinity: Object, sign: int) -> list[Term]:
        terms = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        return [self._term(pod, each["podAffinityTerm"], sign * int(each["weight"])) for each in terms if each.get("weight")]

    def _term(self, pod: Object, term: Object, weight: int = 0) -> Term:
        return Term(self._all_of(pod, [term]), str(term["topologyKey"]), weight)

    def _all_of(self, pod: Object, terms: list[Object]) -> Subject:
        """Those that every one of the terms means. Terms with namespaces of their own are put together only where they agree."""
        where = [(sorted(_namespaces(pod, term)), term.get("namespaceSelector")) for term in terms]
        selectors = [term.get("labelSelector") for term in terms]
        if any(each != where[0] for each in where):
            return self._intersection(pod, terms)
        return self._subject(frozenset(where[0][0]), where[0][1], selectors)

    def _intersection(self, pod: Object, terms: list[Object]) -> Subject:
        parts = [self._all_of(pod, [term]) for term in terms]
        key = b"all of " + b",".join(part.key for part in parts)
        known = self._subjects.get(key)
        if known is None:
            known = self._subjects[key] = _Intersection(key, parts)
        return known

    def _subject(self, namespaces: frozenset[str], chosen: Object | None, selectors: list[Any], alive: bool = False) -> Subject:
        key = orjson.dumps([sorted(namespaces), chosen, selectors, alive], option=orjson.OPT_SORT_KEYS)
        known = self._subjects.get(key)
        if known is None:
            made = tuple(labels.from_label_selector(selector) for selector in selectors)
            selected = None if chosen is None else labels.from_label_selector(chosen)
            known = self._subjects[key] = Subject(key, namespaces, selected, made, alive)
        return known

    def _constraint(self, pod: Object, constraint: Object) -> Constraint:
        return self.constraint_with(pod, constraint, [constraint.get("labelSelector")])

    def constraint_with(self, pod: Object, constraint: Object, selectors: list[Any]) -> Constraint:
        """Over the pods of the namespace that all of these label selectors select."""
        return Constraint(
            self._subject(frozenset((objects.namespace(pod),)), None, selectors, alive=True),
            str(constraint["topologyKey"]),
            int(constraint["maxSkew"]),
            int(constraint.get("minDomains") or 1),
            (constraint.get("nodeAffinityPolicy") or "Honor") == "Honor",
            constraint.get("nodeTaintsPolicy") == "Honor",
        )


class _Intersection(Subject):
    __slots__ = ("_parts",)

    def __init__(self, key: bytes, parts: list[Subject]) -> None:
        super().__init__(key, frozenset(), None, (), alive=False)
        self._parts = parts

    def matches(self, pod: PodInfo, namespace_labels: NamespaceLabels) -> bool:
        return all(part.matches(pod, namespace_labels) for part in self._parts)


def _namespaces(pod: Object, term: Object) -> list[str]:
    """Without names and a selector of namespaces: the pod's own."""
    named = list(term.get("namespaces") or ())
    if not named and term.get("namespaceSelector") is None:
        named.append(objects.namespace(pod))
    return named
