"""Deployment conditions: their reasons and messages, and how one replaces another.

Pure: lists in, lists out.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Condition, Object

AVAILABLE = "Available"
PROGRESSING = "Progressing"
REPLICA_FAILURE = "ReplicaFailure"

NEW_CREATED = "NewReplicaSetCreated"
NEW_FOUND = "FoundNewReplicaSet"
NEW_AVAILABLE = "NewReplicaSetAvailable"
NEW_FAILED = "ReplicaSetCreateError"
UPDATED = "ReplicaSetUpdated"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"


def new(kind: str, status: str, reason: str, message: str, now: str) -> Condition:
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def put(conditions: Sequence[Condition], condition: Condition) -> list[Condition]:
    """Nothing changes when status and reason are the same; the transition time moves with the status only."""
    present = objects.find_condition(conditions, condition["type"])
    if present is not None:
        if present["status"] == condition["status"] and present.get("reason") == condition["reason"]:
            return list(conditions)
        if present["status"] == condition["status"]:
            condition = {**condition, "lastTransitionTime": present["lastTransitionTime"]}
    return [*objects.without_condition(conditions, condition["type"]), condition]


def availability(enough: bool, now: str) -> Condition:
    if enough:
        return new(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
    return new(AVAILABLE, "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", now)


def replica_failure(new_rs: Object | None, replica_sets: Sequence[Object]) -> Condition | None:
    """The ReplicaFailure of the new ReplicaSet, else of any, as a Deployment condition."""
    for rs in [*([new_rs] if new_rs is not None else []), *replica_sets]:
        failure = objects.find_condition((rs.get("status") or {}).get("conditions") or (), REPLICA_FAILURE)
        if failure is not None:
            return {
                "type": REPLICA_FAILURE,
                "status": failure["status"],
                "lastUpdateTime": failure["lastTransitionTime"],
                "lastTransitionTime": failure["lastTransitionTime"],
                "reason": failure["reason"],
                "message": failure["message"],
            }
    return None
