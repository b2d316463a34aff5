"""Topology spreading for pods that say nothing of it themselves (PodTopologySpreadArgs): over the pods of their services and of the
ReplicaSet, StatefulSet or ReplicationController that controls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controllers.kube_scheduler.pod_info import PodInfo, PodShape
from controllers.kube_scheduler.relations.terms import Constraint, Subjects
from controllers.runtime.informer import Change, Informer, InformerFactory
from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in

SYSTEM: Final[Sequence[Object]] = (
    {"maxSkew": 3, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"},
    {"maxSkew": 5, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"},
)
"""What defaultingType System stands for."""
_SERVICES = built_in("v1", "Service")
_OWNERS: Final = {
    ("v1", "ReplicationController"): built_in("v1", "ReplicationController"),
    ("apps/v1", "ReplicaSet"): built_in("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"): built_in("apps/v1", "StatefulSet"),
}
_SHAPES = 4096


class Owners:
    """Services and what controls pods. `version` rises when one of them comes, goes or selects others."""

    def __init__(self, informers: InformerFactory) -> None:
        self.version = 0
        self._services = informers.informer(_SERVICES)
        self._owners: dict[tuple[str, str], Informer] = {kind: informers.informer(resource) for kind, resource in _OWNERS.items()}

    def listen(self) -> None:
        """Once they are filled."""
        for informer in (self._services, *self._owners.values()):
            informer.add_handler(self._changed)

    def _changed(self, changes: Sequence[Change]) -> None:
        self.version += any(old is None or new is None or _selector(old) != _selector(new) for old, new in changes)

    def selectors_of(self, pod: Object) -> list[Object]:
        """Label selectors that select the pod's kind together; none where nothing does."""
        own, space = objects.labels(pod), objects.namespace(pod)
        equal: dict[str, str] = {}
        for service in self._services.list(space):
            chosen = objects.spec(service).get("selector")
            if chosen is not None and labels.from_map(chosen).matches(own):
                equal |= chosen
        owner = objects.controller_of(pod) or {}
        informer = self._owners.get((str(owner.get("apiVersion")), str(owner.get("kind"))))
        found = informer.get(f"{space}/{owner.get('name')}") if informer is not None else None
        selector = _selector(found) if found is not None else None
        if owner.get("kind") == "ReplicationController":
            equal |= selector or {}
            selector = None
        selectors: list[Object] = [{"matchLabels": equal}] if equal else []
        return [*selectors, selector] if selector else selectors


def _selector(owner: Object) -> Object | None:
    found: Object | None = objects.spec(owner).get("selector")
    return found


class DefaultConstraints:
    """Those of one profile. `everywhere`: only nodes that have the labels of all constraints count; not so for the system's own."""

    def __init__(self, owners: Owners, subjects: Subjects, args: Object) -> None:
        self._owners = owners
        self._subjects = subjects
        is_list = args.get("defaultingType") == "List"
        self._constraints: Sequence[Object] = args.get("defaultConstraints") or () if is_list else SYSTEM
        self.everywhere = is_list
        self._known: dict[PodShape, tuple[tuple[Constraint, ...], tuple[Constraint, ...]]] = {}
        self._known_version = -1

    @property
    def version(self) -> int:
        return self._owners.version

    def of(self, pod: PodInfo) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
        """(those that must hold, those that had better)."""
        if self._known_version != self._owners.version or len(self._known) >= _SHAPES:
            self._known.clear()
            self._known_version = self._owners.version
        known = self._known.get(pod.shape)
        if known is None:
            known = self._known[pod.shape] = self._read(pod.pod)
        return known

    def _read(self, pod: Object) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
        selectors = self._owners.selectors_of(pod)
        if not selectors:
            return (), ()
        made = [(each["whenUnsatisfiable"], self._subjects.constraint_with(pod, each, selectors)) for each in self._constraints]
        hard = tuple(constraint for when, constraint in made if when != "ScheduleAnyway")
        return hard, tuple(constraint for when, constraint in made if when == "ScheduleAnyway")
