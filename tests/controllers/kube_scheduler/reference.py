"""The rules of pod affinity and topology spreading, written down plainly: every pod on every node is looked at for every question."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kctl.apimachinery import labels

Object = dict[str, Any]
NEAR = "node(s) didn't match pod affinity rules"
APART = "node(s) didn't match pod anti-affinity rules"
THEIRS = "node(s) didn't satisfy existing pods anti-affinity rules"
UNEVEN = "node(s) didn't match pod topology spread constraints"
NO_LABEL = UNEVEN + " (missing required label)"
REQUIRED, PREFERRED = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"


@dataclass
class Node:
    name: str
    labels: dict[str, str]
    pods: list[Object]
    usable: bool
    """As far as its taints go (hard ones, not tolerated)."""
    wanted: bool
    """As far as the pod's node selector and affinity go."""


def _selects(selector: Object | None, of: Mapping[str, str]) -> bool:
    return labels.from_label_selector(selector).matches(of)


def _means(owner: Object, term: Object, pod: Object, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    space = pod["metadata"]["namespace"]
    named, chosen = term.get("namespaces") or [], term.get("namespaceSelector")
    if not named and chosen is None:
        named = [owner["metadata"]["namespace"]]
    if space not in named and not (chosen is not None and _selects(chosen, namespaces[space])):
        return False
    return _selects(term.get("labelSelector"), pod["metadata"].get("labels") or {})


def _terms(pod: Object, kind: str, when: str) -> list[Object]:
    return ((pod["spec"].get("affinity") or {}).get(kind) or {}).get(when) or []


def _same_domain(key: str, one: Node, other: Node) -> bool:
    return key in one.labels and key in other.labels and one.labels[key] == other.labels[key]


def affinity_refusal(pod: Object, node: Node, nodes: list[Node], namespaces: Mapping[str, Mapping[str, str]]) -> str:
    terms = _terms(pod, "podAffinity", REQUIRED)
    if terms:
        alike = [(other, there) for there in nodes for other in there.pods if all(_means(pod, term, other, namespaces) for term in terms)]
        if any(term["topologyKey"] not in node.labels for term in terms):
            return NEAR
        near = all(any(_same_domain(term["topologyKey"], there, node) for _, there in alike) for term in terms)
        somewhere = any(term["topologyKey"] in there.labels for _, there in alike for term in terms)
        if not near and (somewhere or not all(_means(pod, term, pod, namespaces) for term in terms)):
            return NEAR
    for term in _terms(pod, "podAntiAffinity", REQUIRED):
        if any(
            _same_domain(term["topologyKey"], there, node) and _means(pod, term, other, namespaces)
            for there in nodes
            for other in there.pods
        ):
            return APART
    for there in nodes:
        for other in there.pods:
            for term in _terms(other, "podAntiAffinity", REQUIRED):
                if _same_domain(term["topologyKey"], there, node) and _means(other, term, pod, namespaces):
                    return THEIRS
    return ""


def affinity_scores(pod: Object, feasible: list[Node], nodes: list[Node], namespaces: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    raw = dict.fromkeys((node.name for node in feasible), 0)
    for node in feasible:
        for there in nodes:
            for other in there.pods:
                for owner, meant in ((pod, other), (other, pod)):
                    for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
                        for each in _terms(owner, kind, PREFERRED):
                            term = each["podAffinityTerm"]
                            if _same_domain(term["topologyKey"], there, node) and _means(owner, term, meant, namespaces):
                                raw[node.name] += sign * each["weight"]
                for term in _terms(other, "podAffinity", REQUIRED):
                    if _same_domain(term["topologyKey"], there, node) and _means(other, term, pod, namespaces):
                        raw[node.name] += 1
    low, high = min(raw.values()), max(raw.values())
    return {name: 100 * (score - low) // (high - low) if high > low else 0 for name, score in raw.items()}


def _constraints(pod: Object, when: str) -> list[Object]:
    return [each for each in pod["spec"].get("topologySpreadConstraints") or [] if each["whenUnsatisfiable"] == when]


def _counted(pod: Object, constraint: Object, together: Iterable[Object], nodes: list[Node]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in nodes:
        if any(each["topologyKey"] not in node.labels for each in together):
            continue
        if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not node.wanted:
            continue
        if constraint.get("nodeTaintsPolicy", "Ignore") == "Honor" and not node.usable:
            continue
        domain = node.labels[constraint["topologyKey"]]
        counts[domain] = counts.get(domain, 0) + _alike(pod, constraint, node)
    return counts


def _alike(pod: Object, constraint: Object, node: Node) -> int:
    return sum(
        other["metadata"]["namespace"] == pod["metadata"]["namespace"]
        and "deletionTimestamp" not in other["metadata"]
        and _selects(constraint.get("labelSelector"), other["metadata"].get("labels") or {})
        for other in node.pods
    )


def spread_refusal(pod: Object, node: Node, nodes: list[Node]) -> str:
    hard = _constraints(pod, "DoNotSchedule")
    for constraint in hard:
        key = constraint["topologyKey"]
        if key not in node.labels:
            return NO_LABEL
        counts = _counted(pod, constraint, hard, nodes)
        least = min(counts.values(), default=2**31)
        if len(counts) < constraint.get("minDomains", 1):
            least = 0
        own = _selects(constraint.get("labelSelector"), pod["metadata"].get("labels") or {})
        if counts.get(node.labels[key], 0) + own - least > constraint["maxSkew"]:
            return UNEVEN
    return ""


def spread_scores(pod: Object, feasible: list[Node], nodes: list[Node]) -> dict[str, int]:
    soft = _constraints(pod, "ScheduleAnyway")
    if not soft:
        return dict.fromkeys((node.name for node in feasible), 0)
    kept = [node for node in feasible if all(each["topologyKey"] in node.labels for each in soft)]
    raw = dict.fromkeys((node.name for node in kept), 0.0)
    for constraint in soft:
        key = constraint["topologyKey"]
        on_host = key == "kubernetes.io/hostname"
        weight = math.log((len(kept) if on_host else len({node.labels[key] for node in kept})) + 2)
        counts = _counted(pod, constraint, soft, nodes)
        for node in kept:
            count = _alike(pod, constraint, node) if on_host else counts.get(node.labels[key], 0)
            raw[node.name] += count * weight + constraint["maxSkew"] - 1
    whole = {name: math.floor(score + 0.5) for name, score in raw.items()}
    low, high = min(whole.values(), default=0), max(whole.values(), default=0)
    scores = {name: 100 * (high + low - score) // high if high else 100 for name, score in whole.items()}
    return {node.name: scores.get(node.name, 0) for node in feasible}


Rule = Callable[..., Any]
