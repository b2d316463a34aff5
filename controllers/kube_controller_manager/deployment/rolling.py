"""The arithmetic of a rollout: how many replicas which ReplicaSet may have next.

Pure: dicts in, numbers out. "Scale" is a list of (ReplicaSet, new size).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from controllers.runtime import deployment_revisions as revisions
from controllers.runtime.deployment_revisions import replicas
from kctl.apimachinery import int_or_percent, objects
from kctl.apimachinery.objects import Object

Scale = list[tuple[Object, int]]


def is_rolling(deployment: Object) -> bool:
    return bool((objects.spec(deployment).get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")


def _fence_posts(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable); both zero would mean no progress, so then one may be unavailable."""
    options = (objects.spec(deployment).get("strategy") or {}).get("rollingUpdate") or {}
    surge = int_or_percent.scaled(options.get("maxSurge"), replicas(deployment), round_up=True)
    unavailable = int_or_percent.scaled(options.get("maxUnavailable"), replicas(deployment), round_up=False)
    return (surge, 1) if surge == 0 and unavailable == 0 else (surge, unavailable)


def max_surge(deployment: Object) -> int:
    return _fence_posts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    if not is_rolling(deployment) or replicas(deployment) == 0:
        return 0
    return min(_fence_posts(deployment)[1], replicas(deployment))


def total(replica_sets: Sequence[Object]) -> int:
    return sum(replicas(rs) for rs in replica_sets)


def available(rs: Object) -> int:
    return int(objects.status(rs).get("availableReplicas") or 0)


def new_size(deployment: Object, present: int, everything: int) -> int:
    """Replicas of the new ReplicaSet, which has `present` of `everything` now, without exceeding maxSurge."""
    if not is_rolling(deployment):
        return replicas(deployment)
    room = replicas(deployment) + max_surge(deployment) - everything
    if room <= 0:
        return present
    return present + min(room, replicas(deployment) - present)


def scale_new(deployment: Object, new: Object, old: Sequence[Object]) -> Scale:
    wished = replicas(deployment)
    if replicas(new) == wished:
        return []
    if replicas(new) > wished:
        return [(new, wished)]
    size = new_size(deployment, replicas(new), total(old) + replicas(new))
    return [(new, size)] if size != replicas(new) else []


def scale_old(deployment: Object, new: Object, old: Sequence[Object]) -> Scale:
    """Old ReplicaSets step down: first what is not available there anyway, then as many as availability permits."""
    if total(old) == 0:
        return []
    least_available = replicas(deployment) - max_unavailable(deployment)
    new_unavailable = replicas(new) - available(new)
    allowed = total(old) + replicas(new) - least_available - new_unavailable
    if allowed <= 0:
        return []
    ordered = revisions.by_creation(old)
    sizes = {objects.uid(rs): replicas(rs) for rs in ordered}
    _drop_unavailable(ordered, sizes, allowed)
    _drop_available(ordered, sizes, sum(available(rs) for rs in [*old, new]) - least_available)
    return [(rs, sizes[objects.uid(rs)]) for rs in ordered if sizes[objects.uid(rs)] != replicas(rs)]


def _drop_unavailable(ordered: Sequence[Object], sizes: dict[str, int], allowed: int) -> None:
    for rs in ordered:
        drop = max(min(allowed, sizes[objects.uid(rs)] - available(rs)), 0)
        sizes[objects.uid(rs)] -= drop
        allowed -= drop


def _drop_available(ordered: Sequence[Object], sizes: dict[str, int], allowed: int) -> None:
    for rs in ordered:
        drop = max(min(allowed, sizes[objects.uid(rs)]), 0)
        sizes[objects.uid(rs)] -= drop
        allowed -= drop


def _desired_annotation(rs: Object) -> int | None:
    try:
        return int(objects.annotations(rs)[revisions.DESIRED_REPLICAS])
    except (KeyError, ValueError):
        return None


def is_scaling(deployment: Object, replica_sets: Sequence[Object]) -> bool:
    """spec.replicas changed since the ReplicaSets were last sized."""
    return any(_desired_annotation(rs) not in (None, replicas(deployment)) for rs in replica_sets if replicas(rs) > 0)


def _is_saturated(deployment: Object, rs: Object | None) -> bool:
    wished = replicas(deployment)
    return rs is not None and replicas(rs) == _desired_annotation(rs) == wished == available(rs)


def resize(deployment: Object, new: Object | None, old: Sequence[Object]) -> Scale:
    """After a change of spec.replicas outside of a rollout step: the one active ReplicaSet follows; in the middle of a
    rollout all of them do, in proportion."""
    everything = [*old, *([new] if new is not None else [])]
    running = revisions.active(everything)
    if len(running) <= 1:
        newest = revisions.by_creation(old)
        only = running[0] if running else new or (newest[-1] if newest else None)
        wished = replicas(deployment)
        return [(only, wished)] if only is not None and replicas(only) != wished else []
    if _is_saturated(deployment, new):
        return [(rs, 0) for rs in revisions.active(old)]
    return _proportional(deployment, running) if is_rolling(deployment) else []


def _proportional(deployment: Object, running: Sequence[Object]) -> Scale:
    wished = replicas(deployment)
    allowed = wished + max_surge(deployment) if wished > 0 else 0
    to_add = allowed - total(running)
    ordered = revisions.by_creation(running)
    if to_add > 0:
        ordered.reverse()  # among equals the newest grows first, the oldest shrinks first
    ordered.sort(key=replicas, reverse=True)
    sizes, added = [], 0
    for rs in ordered:
        share = _proportion(deployment, rs, to_add, added)
        sizes.append(replicas(rs) + share)
        added += share
    sizes[0] = max(sizes[0] + to_add - added, 0)
    # All are returned: even an unchanged one takes note of the new wish in its annotations.
    return list(zip(ordered, sizes, strict=True))


def _proportion(deployment: Object, rs: Object, to_add: int, added: int) -> int:
    if replicas(rs) == 0 or to_add == 0 or to_add == added:
        return 0
    share, left = _fraction(deployment, rs), to_add - added
    return min(share, left) if to_add > 0 else max(share, left)


def _fraction(deployment: Object, rs: Object) -> int:
    if replicas(deployment) == 0:
        return -replicas(rs)
    try:
        before = int(objects.annotations(rs)[revisions.MAX_REPLICAS])
    except (KeyError, ValueError):
        before = int(objects.status(deployment).get("replicas") or 0)
    if before == 0:
        return 0
    exact = replicas(rs) * (replicas(deployment) + max_surge(deployment)) / before
    return math.floor(exact + 0.5) - replicas(rs)
