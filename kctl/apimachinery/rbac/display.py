"""Rules in one line each, as messages about missing permissions show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.apimachinery.go_text import quote
from kctl.apimachinery.rbac.matching import Rule

_PARTS = (
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("NonResourceURLs", "nonResourceURLs"),
    ("ResourceNames", "resourceNames"),
    ("Verbs", "verbs"),
)


def quoted(texts: Iterable[str]) -> str:
    """A []string under Go's %q."""
    return f"[{' '.join(quote(text) for text in texts)}]"


def compact(rule: Rule) -> str:
    """{APIGroups:[""], Resources:["pods"], Verbs:["get"]}"""
    return "{" + ", ".join(f"{shown}:{quoted(rule[part])}" for shown, part in _PARTS if rule.get(part)) + "}"


def merged(rules: Sequence[Rule]) -> list[Rule]:
    """Rules about one resource (of one name) become one rule with all their verbs, in the place of the last (CompactRules)."""
    simple: dict[tuple[str, str, str | None], Rule] = {}
    others: list[Rule] = []
    for rule in rules:
        key = _simple_key(rule)
        if key is None:
            others.append(rule)
            continue
        present = simple.get(key)
        if present is None:
            simple[key] = {**rule, "verbs": list(rule.get("verbs") or ())}
        else:
            present["verbs"] += [verb for verb in rule.get("verbs") or () if verb not in present["verbs"]]
    return [*others, *simple.values()]


def _simple_key(rule: Rule) -> tuple[str, str, str | None] | None:
    groups, resources, names = (list(rule.get(part) or ()) for part in ("apiGroups", "resources", "resourceNames"))
    if len(groups) != 1 or len(resources) != 1 or len(names) > 1 or rule.get("nonResourceURLs"):
        return None
    return groups[0], resources[0], names[0] if names else None


def aggregate(messages: Sequence[str]) -> str:
    """Several errors as one text (upstream's utilerrors.Aggregate)."""
    distinct = list(dict.fromkeys(messages))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"
