"""Which pods of a DaemonSet to replace next when its template has changed. Pure.

Without surge old pods are deleted, as many as may be unavailable; with surge new ones are made beside them, and an old one goes
when its successor is available.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from controllers.kube_controller_manager.daemonset.placement import HASH_LABEL
from controllers.runtime import pods
from kctl.apimachinery import int_or_percent, objects
from kctl.apimachinery.objects import Object


class OnNode(NamedTuple):
    """`clear`: at most one pod of each sort is there."""

    new: Object | None
    old: Object | None
    clear: bool = True


def on_node(members: Sequence[Object], digest: str) -> OnNode:
    alive = [pod for pod in members if not objects.deletion_timestamp(pod)]
    new = [pod for pod in alive if objects.labels(pod).get(HASH_LABEL) == digest]
    old = [pod for pod in alive if objects.labels(pod).get(HASH_LABEL) != digest]
    return OnNode(new[0] if new else None, old[0] if old else None, len(new) <= 1 and len(old) <= 1)


def surge(daemon_set: Object, desired: int) -> int:
    return int_or_percent.scaled(_rolling(daemon_set).get("maxSurge", 0), desired, round_up=True)


def max_unavailable(daemon_set: Object, desired: int) -> int:
    """At least one where there is no surge either."""
    allowed = int_or_percent.scaled(_rolling(daemon_set).get("maxUnavailable", 1), desired, round_up=True)
    return allowed or (0 if surge(daemon_set, desired) else 1)


def _rolling(daemon_set: Object) -> Object:
    return (objects.spec(daemon_set).get("updateStrategy") or {}).get("rollingUpdate") or {}


def is_available(daemon_set: Object, pod: Object, now: datetime) -> bool:
    return pods.seconds_until_available(pod, int(objects.spec(daemon_set).get("minReadySeconds") or 0), now) == 0


def to_delete(daemon_set: Object, by_node: Mapping[str, Sequence[Object]], digest: str, desired: int, now: datetime) -> list[Object]:
    """Without surge: old pods that are not available anyway, and others while few enough nodes are without."""
    unavailable = 0
    lost: list[Object] = []
    candidates: list[Object] = []
    for members in by_node.values():
        new, old, clear = on_node(members, digest)
        if not clear or (new is None) == (old is None):
            unavailable += 1
        elif new is not None:
            unavailable += not is_available(daemon_set, new, now)
        elif old is not None:
            (candidates if is_available(daemon_set, old, now) else lost).append(old)
    return [*lost, *candidates[: max(max_unavailable(daemon_set, desired) - unavailable, 0)]]


def to_surge(
    daemon_set: Object, by_node: Mapping[str, Sequence[Object]], digest: str, desired: int, now: datetime
) -> tuple[list[Object], list[str]]:
    """With surge: old pods whose successor is available, and nodes that get a successor now."""
    surging = 0
    finished: list[Object] = []
    lost: list[str] = []
    candidates: list[str] = []
    for node, members in by_node.items():
        new, old, clear = on_node(members, digest)
        if not clear:
            surging += 1
        elif old is None:
            continue
        elif new is None:
            (candidates if is_available(daemon_set, old, now) else lost).append(node)
        elif is_available(daemon_set, new, now):
            finished.append(old)
        else:
            surging += 1
    return finished, [*lost, *candidates[: max(surge(daemon_set, desired) - surging, 0)]]
