"""Which taints a node's conditions call for.

Pure: a node in, taints out. Scheduling (NoSchedule) follows every condition; eviction (NoExecute) only Ready.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

Taint = dict[str, Any]

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

_BY_CONDITION = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
}
_MANAGED_NO_SCHEDULE = frozenset({*_BY_CONDITION.values(), UNSCHEDULABLE})
_MANAGED_NO_EXECUTE = frozenset({NOT_READY, UNREACHABLE})


def _wanted(node: Object) -> list[tuple[str, str]]:
    """(key, effect) of the taints the node should have."""
    taints: list[tuple[str, str]] = []
    evict: list[tuple[str, str]] = []
    for condition in objects.status(node).get("conditions") or ():
        key = _BY_CONDITION.get((condition["type"], condition["status"]))
        if key is not None:
            taints.append((key, "NoSchedule"))
            if condition["type"] == "Ready":
                evict.append((key, "NoExecute"))
    if objects.spec(node).get("unschedulable"):
        taints.append((UNSCHEDULABLE, "NoSchedule"))
    return taints + evict


def _is_managed(taint: Taint) -> bool:
    if taint["effect"] == "NoSchedule":
        return taint["key"] in _MANAGED_NO_SCHEDULE
    return taint["effect"] == "NoExecute" and taint["key"] in _MANAGED_NO_EXECUTE


def evicts_more(node: Object, taints: Sequence[Taint]) -> bool:
    """Whether `taints` would begin to drive pods away; one such taint for another does not."""
    return _evicts(taints) and not _evicts(objects.spec(node).get("taints") or ())


def _evicts(taints: Sequence[Taint]) -> bool:
    return any(taint["effect"] == "NoExecute" and taint["key"] in _MANAGED_NO_EXECUTE for taint in taints)


def corrected(node: Object, now: str, *, evict: bool = True, keep: bool = False) -> list[Taint] | None:
    """spec.taints as they should be; None where they are. Without `evict` no NoExecute taint is added, and those that the node's
    condition calls for stay only with `keep`."""
    present: list[Taint] = objects.spec(node).get("taints") or []
    wanted = _wanted(node)
    if not evict:
        here = {(taint["key"], taint["effect"]) for taint in present} if keep else set()
        wanted = [entry for entry in wanted if entry[1] != "NoExecute" or entry in here]
    kept = [taint for taint in present if not _is_managed(taint) or (taint["key"], taint["effect"]) in wanted]
    have = {(taint["key"], taint["effect"]) for taint in kept}
    added = [{"key": key, "effect": effect, "timeAdded": now} for key, effect in wanted if (key, effect) not in have]
    return None if len(kept) == len(present) and not added else kept + added
