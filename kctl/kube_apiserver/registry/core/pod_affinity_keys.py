"""matchLabelKeys and mismatchLabelKeys: on create, a pod's own label values are merged into the selectors that name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def merge_label_keys(spec: dict[str, Any], labels: Mapping[str, str]) -> None:
    """Changes `spec` in place; keys the pod has no label for are skipped."""
    if spec.get("affinity"):
        for term in _terms(spec["affinity"]):
            selector = term.get("labelSelector")
            if selector is not None:
                _add(selector, term.get("matchLabelKeys") or (), "In", labels)
                _add(selector, term.get("mismatchLabelKeys") or (), "NotIn", labels)
    for constraint in spec.get("topologySpreadConstraints") or ():
        selector = constraint.get("labelSelector")
        if selector is not None:
            _add(selector, constraint.get("matchLabelKeys") or (), "In", labels)


def _terms(affinity: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for field in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(field) or {}
        yield from rules.get(_REQUIRED) or ()
        for weighted in rules.get(_PREFERRED) or ():
            yield weighted.get("podAffinityTerm") or {}


def _add(selector: dict[str, Any], keys: Any, operator: str, labels: Mapping[str, str]) -> None:
    for key in keys:
        if key in labels:
            requirement = {"key": key, "operator": operator, "values": [labels[key]]}
            selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), requirement]
