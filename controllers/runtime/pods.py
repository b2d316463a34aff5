"""What controllers ask about pods: active, ready, available, and which to delete first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object

CONTROLLER_INDEX = "controller"
ORPHANS_INDEX = "orphans"
NODE_INDEX = "node"

_TERMINAL = ("Succeeded", "Failed")
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


def by_controller(obj: Object) -> tuple[str, ...]:
    """Index function: the uid of the controlling owner."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return (reference["uid"],)
    return ()


def by_namespace_without_controller(obj: Object) -> tuple[str, ...]:
    """Index function: the namespace of objects nobody controls, the candidates for adoption."""
    return () if _is_controlled(obj) else (objects.namespace(obj),)


def _is_controlled(obj: Object) -> bool:
    for reference in obj["metadata"].get("ownerReferences") or ():  # noqa: SIM110  a generator would cost each change of a pod a call more
        if reference.get("controller"):
            return True
    return False


def by_node(pod: Object) -> tuple[str, ...]:
    """Index function: spec.nodeName."""
    node = (pod.get("spec") or {}).get("nodeName")
    return (node,) if node else ()


def by_end(pod: Object) -> tuple[str, ...]:
    """Index function: '' of pods that have ended."""
    return ("",) if (pod.get("status") or {}).get("phase") in _TERMINAL else ()


def is_terminal(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _TERMINAL


def is_active(pod: Object) -> bool:
    """Counts as a replica: neither finished nor being deleted."""
    return "deletionTimestamp" not in pod["metadata"] and (pod.get("status") or {}).get("phase") not in _TERMINAL


def is_active_orphan(old: Object | None, pod: Object | None) -> bool:
    """A predicate of changes: a pod that could be adopted."""
    return pod is not None and not _is_controlled(pod) and is_active(pod)


def is_terminating(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"] and not is_terminal(pod)


def ready_condition(pod: Object) -> Mapping[str, Any] | None:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready":
            ready: Mapping[str, Any] = condition
            return ready
    return None


def is_ready(pod: Object) -> bool:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready":
            return bool(condition["status"] == "True")
    return False


def seconds_until_available(pod: Object, min_ready_seconds: int, now: datetime) -> float | None:
    """0 when available; None while it is not ready."""
    condition = ready_condition(pod)
    if condition is None or condition["status"] != "True":
        return None
    if min_ready_seconds <= 0:
        return 0.0
    since = condition.get("lastTransitionTime")
    if not since:
        return None
    left = (times.parse(since) + timedelta(seconds=min_ready_seconds) - now).total_seconds()
    return max(left, 0.0)


def available(pods: Collection[Object], min_ready_seconds: int, now: datetime) -> tuple[int, float | None]:
    """How many active pods are available, and after how many seconds the next one will be."""
    count, following = 0, None
    for pod in pods:
        if not is_active(pod):
            continue
        left = seconds_until_available(pod, min_ready_seconds, now)
        if left == 0:
            count += 1
        elif left is not None:
            following = left if following is None else min(following, left)
    return count, following


def deletion_order(pods: Collection[Object], related: Collection[Object], now: datetime) -> list[Object]:
    """`pods` with those to delete first in front (ActivePodsWithRanks): unassigned, pending, not ready, cheaper by their
    deletion cost, doubled up on a node with `related` pods, shorter ready, more restarts, younger."""
    on_node = Counter((pod.get("spec") or {}).get("nodeName", "") for pod in related if is_active(pod))

    def rank(pod: Object) -> tuple[Any, ...]:
        node = (pod.get("spec") or {}).get("nodeName", "")
        status = pod.get("status") or {}
        ready = is_ready(pod)
        restarts = max((container.get("restartCount", 0) for container in status.get("containerStatuses") or ()), default=0)
        return (
            bool(node),
            _PHASE_ORDER.get(status.get("phase") or "Pending", 0),
            ready,
            _deletion_cost(pod),
            -on_node[node],
            _age_bucket((ready_condition(pod) or {}).get("lastTransitionTime"), now) if ready else 0,
            -restarts,
            _age_bucket(pod["metadata"].get("creationTimestamp"), now),
            pod["metadata"].get("uid", ""),
        )

    return sorted(pods, key=rank)


def _deletion_cost(pod: Object) -> int:
    try:
        return int(objects.annotations(pod).get(_DELETION_COST, "0"))
    except ValueError:
        return 0


def _age_bucket(stamp: str | None, now: datetime) -> int:
    """Ages compare by magnitude (powers of two), so that among pods of about the same age the choice is spread."""
    if not stamp:
        return -1
    age_nanoseconds = max((now - times.parse(stamp)).total_seconds(), 0.0) * 1e9
    return int(math.log2(age_nanoseconds)) if age_nanoseconds >= 1 else 0
