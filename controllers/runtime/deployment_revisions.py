"""Revisions of a Deployment: which ReplicaSet is the new one, its number, hash and annotations, which old ones to keep.

Pure: dicts in, dicts out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
ROLLBACK_TO = "deprecated.deployment.rollback.to"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HASH_LABEL = "pod-template-hash"

_NOT_COPIED = frozenset({LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, ROLLBACK_TO})
_HISTORY_CHARACTERS = 2000


def revision(obj: Object) -> int:
    try:
        return int(objects.annotations(obj).get(REVISION, "0"))
    except ValueError:
        return 0


def replicas(obj: Object) -> int:
    """spec.replicas, 1 where it is not given."""
    wished = objects.spec(obj).get("replicas")
    return 1 if wished is None else int(wished)


def _without_hash(template: Mapping[str, Any]) -> dict[str, Any]:
    meta = template.get("metadata") or {}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    rest = {key: value for key, value in meta.items() if key != "labels" and value}
    return {**template, "metadata": {**rest, **({"labels": labels} if labels else {})}}


def same_template(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Equal but for the hash label."""
    return left.get("spec") == right.get("spec") and _without_hash(left) == _without_hash(right)


def by_creation(replica_sets: Sequence[Object]) -> list[Object]:
    return sorted(replica_sets, key=lambda rs: (objects.metadata(rs).get("creationTimestamp", ""), objects.name(rs)))


def find_new(deployment: Object, replica_sets: Sequence[Object]) -> Object | None:
    """The oldest ReplicaSet with the Deployment's present template."""
    template = objects.spec(deployment)["template"]
    for rs in by_creation(replica_sets):
        if same_template(objects.spec(rs)["template"], template):
            return rs
    return None


def without(replica_sets: Sequence[Object], new: Object | None) -> list[Object]:
    """The old ones."""
    return [rs for rs in replica_sets if new is None or objects.uid(rs) != objects.uid(new)]


def active(replica_sets: Sequence[Object]) -> list[Object]:
    return [rs for rs in replica_sets if replicas(rs) > 0]


def copied_annotations(deployment: Object) -> dict[str, str]:
    """What a ReplicaSet takes over from its Deployment."""
    return {key: value for key, value in objects.annotations(deployment).items() if key not in _NOT_COPIED}


def replica_annotations(wished: int, surge: int) -> dict[str, str]:
    return {DESIRED_REPLICAS: str(wished), MAX_REPLICAS: str(wished + surge)}


def new_annotations(deployment: Object, rs: Object, number: int) -> dict[str, str]:
    """The annotations of an existing ReplicaSet that is (again) the new one: numbers it had before go to the history."""
    annotations = {**objects.annotations(rs), **copied_annotations(deployment)}
    before = revision(rs)
    if before >= number:
        return annotations
    had = annotations.get(REVISION)
    annotations[REVISION] = str(number)
    if had:
        history = [number_before for number_before in annotations.get(REVISION_HISTORY, "").split(",") if number_before]
        history.append(had)
        while len(",".join(history)) > _HISTORY_CHARACTERS:
            history.pop(0)
        annotations[REVISION_HISTORY] = ",".join(history)
    return annotations


def to_clean_up(deployment: Object, old: Sequence[Object]) -> list[Object]:
    """Old ReplicaSets beyond revisionHistoryLimit, oldest revision first, that have nothing running."""
    limit = objects.spec(deployment).get("revisionHistoryLimit")
    if limit is None or limit >= 2**31 - 1:
        return []
    alive = [rs for rs in old if not objects.deletion_timestamp(rs)]
    surplus = len(alive) - int(limit)
    if surplus <= 0:
        return []
    ordered = sorted(alive, key=lambda rs: (revision(rs), objects.metadata(rs).get("creationTimestamp", "")))
    return [rs for rs in ordered[:surplus] if _is_spent(rs)]


def _is_spent(rs: Object) -> bool:
    status = objects.status(rs)
    return not (status.get("replicas") or replicas(rs) or objects.generation(rs) > int(status.get("observedGeneration") or 0))
