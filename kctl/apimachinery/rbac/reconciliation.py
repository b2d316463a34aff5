"""Bringing roles and bindings up to what is expected of them, without taking away what somebody added (upstream's reconciliation):
the API server does it with the default roles, `kubectl auth reconcile` with those of a file."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.rbac import covering
from kctl.apimachinery.rbac.matching import Rule
from kctl.apimachinery.rbac.names import AUTOUPDATE


class Operation(enum.Enum):
    NONE = "none"
    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"
    """The role a binding refers to cannot be changed: delete it and create another."""


@dataclass(slots=True)
class Reconciled:
    """`object` is what should be stored. `protected`: its annotation says that it must stay as it is. The lists say what the
    existing object lacks, and what it has that was not expected."""

    object: Object
    operation: Operation = Operation.NONE
    protected: bool = False
    missing_rules: list[Rule] = field(default_factory=list)
    extra_rules: list[Rule] = field(default_factory=list)
    missing_selectors: list[dict[str, Any]] = field(default_factory=list)
    extra_selectors: list[dict[str, Any]] = field(default_factory=list)
    missing_subjects: list[dict[str, Any]] = field(default_factory=list)
    extra_subjects: list[dict[str, Any]] = field(default_factory=list)

    def change(self, **fields: Any) -> None:
        self.object = {**self.object, **fields}
        self.operation = Operation.UPDATE


def reconcile_role(existing: Object | None, expected: Object, *, remove_extra: bool = False) -> Reconciled:
    """Raises covering.TooManyParts."""
    if existing is None:
        return _to_create(expected, missing_rules=list(expected.get("rules") or ()), missing_selectors=_selectors(expected))
    reconciled = _with_metadata(existing, expected)
    _reconcile_rules(reconciled, existing, expected, remove_extra)
    _reconcile_selectors(reconciled, existing, expected, remove_extra)
    return reconciled


def reconcile_binding(existing: Object | None, expected: Object, *, remove_extra: bool = False) -> Reconciled:
    wanted = list(expected.get("subjects") or ())
    if existing is None:
        return _to_create(expected, missing_subjects=wanted)
    if existing.get("roleRef") != expected.get("roleRef"):
        return Reconciled(expected, Operation.RECREATE, _is_protected(existing))
    reconciled = _with_metadata(existing, expected)
    present = list(existing.get("subjects") or ())
    reconciled.missing_subjects = [subject for subject in wanted if subject not in present]
    reconciled.extra_subjects = [subject for subject in present if subject not in wanted]
    if remove_extra:
        if reconciled.missing_subjects or reconciled.extra_subjects:
            reconciled.change(subjects=wanted)
    elif reconciled.missing_subjects:
        reconciled.change(subjects=present + reconciled.missing_subjects)
    return reconciled


def _to_create(expected: Object, **missing: Any) -> Reconciled:
    return Reconciled(expected, Operation.CREATE, **missing)


def _is_protected(existing: Object) -> bool:
    return objects.annotations(existing).get(AUTOUPDATE) == "false"


def _with_metadata(existing: Object, expected: Object) -> Reconciled:
    """What is set stays; expected labels and annotations are added."""
    labels = {**objects.labels(expected), **objects.labels(existing)}
    annotations = {**objects.annotations(expected), **objects.annotations(existing)}
    reconciled = Reconciled(existing, protected=_is_protected(existing))
    if labels != objects.labels(existing) or annotations != objects.annotations(existing):
        reconciled.change(metadata={**existing["metadata"], "labels": labels, "annotations": annotations})
    return reconciled


def _reconcile_rules(reconciled: Reconciled, existing: Object, expected: Object, remove_extra: bool) -> None:
    present, wanted = list(existing.get("rules") or ()), list(expected.get("rules") or ())
    aggregated = bool(expected.get("aggregationRule"))
    if not (aggregated and existing.get("aggregationRule")):
        reconciled.extra_rules = covering.missing(wanted, present)
    if not aggregated:
        reconciled.missing_rules = covering.missing(present, wanted)
    if remove_extra:
        if reconciled.missing_rules or reconciled.extra_rules:
            reconciled.change(rules=wanted)
    elif reconciled.missing_rules:
        reconciled.change(rules=present + reconciled.missing_rules)


def _selectors(role: Object) -> list[dict[str, Any]]:
    return list((role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ())


def _reconcile_selectors(reconciled: Reconciled, existing: Object, expected: Object, remove_extra: bool) -> None:
    present, wanted = _selectors(existing), _selectors(expected)
    reconciled.missing_selectors = [selector for selector in wanted if selector not in present]
    reconciled.extra_selectors = [selector for selector in present if selector not in wanted]
    if not expected.get("aggregationRule"):
        if existing.get("aggregationRule"):
            reconciled.change(aggregationRule=None)
    elif remove_extra:
        if reconciled.missing_selectors or reconciled.extra_selectors:
            reconciled.change(aggregationRule=expected["aggregationRule"])
    elif reconciled.missing_selectors:
        reconciled.change(aggregationRule={"clusterRoleSelectors": present + reconciled.missing_selectors})
