"""Whether a pod's nodeSelector and required node affinity let it run on a node (component-helpers' nodeaffinity). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from kctl.apimachinery import labels
from kctl.apimachinery.objects import Object


def matches_node(spec: Object, node_labels: Mapping[str, str], node_name: str) -> bool:
    """nodeSelector and required node affinity."""
    for key, value in (spec.get("nodeSelector") or {}).items():
        if node_labels.get(key) != value:
            return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return selector_matches(required, node_labels, node_name)


def selector_matches(selector: Object, node_labels: Mapping[str, str], node_name: str) -> bool:
    """A NodeSelector: one of its terms must hold."""
    return any(_term_matches(term, node_labels, node_name) for term in selector.get("nodeSelectorTerms") or ())


def _term_matches(term: Object, node_labels: Mapping[str, str], node_name: str) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_requirement(entry).matches(node_labels) for entry in expressions) and all(
        _requirement(entry).matches({"metadata.name": node_name}) for entry in fields
    )


_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def _requirement(entry: Object) -> labels.Requirement:
    return _parsed(str(entry.get("key")), str(entry.get("operator")), tuple(entry.get("values") or ()))


@lru_cache(maxsize=1024)
def _parsed(key: str, operator: str, values: tuple[str, ...]) -> labels.Requirement:
    return labels.Requirement(key, _OPERATORS.get(operator, "in"), values)
