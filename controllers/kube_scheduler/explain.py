"""Why a pod has no node, in kube-scheduler's words: `0/3 nodes are available: 1 Too many pods, 2 Insufficient cpu.`"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import attrgetter

from controllers.kube_scheduler.framework import Code, Status
from kctl.apimachinery.objects import Object

NO_NODES = "no nodes available to schedule pods"


def fit_message(counts: Mapping[str, int], node_count: int) -> str:
    """Reasons with how many nodes each applies to, sorted as text (FitError.Error)."""
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    return f"0/{node_count} nodes are available: {reasons}." if reasons else f"0/{node_count} nodes are available."


def count_reasons(statuses: Mapping[str, Status]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reasons, count in Counter(map(attrgetter("reasons"), statuses.values())).items():  # few are different
        for reason in reasons:
            counts[reason] = counts.get(reason, 0) + count
    return counts


def explain(statuses: Mapping[str, Status], node_count: int, post_filter_words: list[str], pre_filter_reason: str = "") -> str:
    """The message of the condition and of the FailedScheduling event. A reason of PreFilter is for all nodes, and not counted."""
    if node_count == 0:
        return NO_NODES
    if pre_filter_reason:
        message = f"0/{node_count} nodes are available: {pre_filter_reason}."
    else:
        message = fit_message(count_reasons(statuses), node_count)
    words = ", ".join(word for word in post_filter_words if word)
    return f"{message} {words}" if words else message


def reasons_of(statuses: Mapping[str, Status]) -> list[Object]:
    """Nodes with the same refusal together, the most common first."""
    nodes: dict[tuple[str, tuple[str, ...], bool], list[str]] = {}
    for name, status in statuses.items():
        nodes.setdefault((status.plugin, status.reasons, status.code is Code.UNSCHEDULABLE), []).append(name)
    ordered = sorted(nodes.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {"plugin": plugin, "reasons": list(reasons), "preemptionCouldHelp": helps, "nodes": sorted(names)}
        for (plugin, reasons, helps), names in ordered
    ]
