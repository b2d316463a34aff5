"""Whether a rollout is complete, moving, or stuck, and the status that says so.

Pure: dicts in, a status out; the present moment is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from controllers.kube_controller_manager.deployment import conditions, rolling
from controllers.runtime.deployment_revisions import replicas
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.times import rfc3339

Status = dict[str, Any]

_SUMS = (
    ("replicas", "replicas"),
    ("readyReplicas", "readyReplicas"),
    ("availableReplicas", "availableReplicas"),
)


def has_deadline(deployment: Object) -> bool:
    seconds = objects.spec(deployment).get("progressDeadlineSeconds")
    return seconds is not None and seconds != 2**31 - 1


def counts(deployment: Object, new: Object | None, replica_sets: Sequence[Object], now: datetime) -> Status:
    """The status but for its Progressing condition (calculateStatus)."""
    old = objects.status(deployment)
    sums = {name: sum(int(objects.status(rs).get(source) or 0) for rs in replica_sets) for name, source in _SUMS}
    status: Status = {"observedGeneration": objects.generation(deployment)}
    status["replicas"] = sums["replicas"]
    status["updatedReplicas"] = int(objects.status(new).get("replicas") or 0) if new is not None else 0
    status["readyReplicas"] = sums["readyReplicas"]
    status["availableReplicas"] = sums["availableReplicas"]
    status["unavailableReplicas"] = max(rolling.total(replica_sets) - sums["availableReplicas"], 0)
    status = {name: value for name, value in status.items() if value}
    terminating = [objects.status(rs).get("terminatingReplicas") for rs in replica_sets]
    if all(count is not None for count in terminating):
        status["terminatingReplicas"] = sum(int(count or 0) for count in terminating)
    if old.get("collisionCount") is not None:
        status["collisionCount"] = old["collisionCount"]
    enough = sums["availableReplicas"] >= replicas(deployment) - rolling.max_unavailable(deployment)
    available = conditions.availability(enough, rfc3339(now))
    status["conditions"] = conditions.put(list(old.get("conditions") or ()), available)
    return status


def _count(status: Mapping[str, Any], name: str) -> int:
    return int(status.get(name) or 0)


def is_complete(deployment: Object, status: Mapping[str, Any]) -> bool:
    wished = replicas(deployment)
    return (
        _count(status, "updatedReplicas") == wished
        and _count(status, "replicas") == wished
        and _count(status, "availableReplicas") == wished
        and _count(status, "observedGeneration") >= objects.generation(deployment)
    )


def _is_moving(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    def old_replicas(status: Mapping[str, Any]) -> int:
        return _count(status, "replicas") - _count(status, "updatedReplicas")

    return (
        _count(after, "updatedReplicas") > _count(before, "updatedReplicas")
        or old_replicas(after) < old_replicas(before)
        or _count(after, "readyReplicas") > _count(before, "readyReplicas")
        or _count(after, "availableReplicas") > _count(before, "availableReplicas")
    )


def _is_timed_out(deployment: Object, present: Mapping[str, Any] | None, now: datetime) -> bool:
    if present is None or present.get("reason") == conditions.NEW_AVAILABLE:
        return False
    if present.get("reason") == conditions.TIMED_OUT:
        return True
    deadline = timedelta(seconds=int(objects.spec(deployment)["progressDeadlineSeconds"]))
    return times.parse(present["lastUpdateTime"]) + deadline < now


def rollout_status(deployment: Object, new: Object | None, replica_sets: Sequence[Object], now: datetime) -> Status:
    """The whole status during a rollout (syncRolloutStatus)."""
    before = objects.status(deployment)
    status = counts(deployment, new, replica_sets, now)
    after: list[objects.Condition] = status["conditions"]
    if has_deadline(deployment):
        present = objects.find_condition(before.get("conditions") or (), conditions.PROGRESSING)
        settled = (
            present is not None
            and present.get("reason") == conditions.NEW_AVAILABLE
            and _count(status, "replicas") == _count(status, "updatedReplicas")
        )
        if not settled:
            after = _progressing(deployment, new, status, present, after, now)
    else:
        after = objects.without_condition(after, conditions.PROGRESSING)
    failure = conditions.replica_failure(new, replica_sets)
    if failure is not None:
        after = conditions.put(after, failure)
    else:
        after = objects.without_condition(after, conditions.REPLICA_FAILURE)
    status["conditions"] = after
    return status


def _progressing(
    deployment: Object,
    new: Object | None,
    status: Status,
    present: Mapping[str, Any] | None,
    before: list[objects.Condition],
    now: datetime,
) -> list[objects.Condition]:
    name = f'ReplicaSet "{objects.name(new)}"' if new is not None else f'Deployment "{objects.name(deployment)}"'
    stamp = rfc3339(now)
    if is_complete(deployment, status):
        text = f"{name} has successfully progressed."
        return conditions.put(before, _is(("True", conditions.NEW_AVAILABLE), text, stamp))
    if _is_moving(objects.status(deployment), status):
        condition = _is(("True", conditions.UPDATED), f"{name} is progressing.", stamp)
        if present is not None:
            if present["status"] == "True":
                condition["lastTransitionTime"] = present["lastTransitionTime"]
            before = objects.without_condition(before, conditions.PROGRESSING)  # so that its update time moves
        return conditions.put(before, condition)
    if _is_timed_out(deployment, present, now):
        return conditions.put(before, _is(("False", conditions.TIMED_OUT), f"{name} has timed out progressing.", stamp))
    return before


def _is(what: tuple[str, str], message: str, now: str) -> objects.Condition:
    return conditions.new(conditions.PROGRESSING, what[0], what[1], message, now)


def seconds_to_deadline(deployment: Object, status: Mapping[str, Any], now: datetime) -> float | None:
    """When to look again whether a rollout that does not move has run out of time."""
    present = objects.find_condition(status.get("conditions") or (), conditions.PROGRESSING)
    if not has_deadline(deployment) or present is None or is_complete(deployment, status):
        return None
    if present.get("reason") in (conditions.TIMED_OUT, conditions.NEW_AVAILABLE):
        return None
    deadline = timedelta(seconds=int(objects.spec(deployment)["progressDeadlineSeconds"]))
    left = (times.parse(present["lastUpdateTime"]) + deadline - now).total_seconds()
    return max(left, 0.0) + 1.0  # stamps have whole seconds


def pause_condition(deployment: Object, now: datetime) -> objects.Condition | None:
    """The Progressing condition that notes a pause or its end, where that is news."""
    if not has_deadline(deployment):
        return None
    present = objects.find_condition(objects.status(deployment).get("conditions") or (), conditions.PROGRESSING)
    reason = present.get("reason") if present is not None else None
    if reason == conditions.TIMED_OUT:
        return None
    paused = bool(objects.spec(deployment).get("paused"))
    if paused and reason != conditions.PAUSED:
        return _is(("Unknown", conditions.PAUSED), "Deployment is paused", rfc3339(now))
    if not paused and reason == conditions.PAUSED:
        return _is(("Unknown", conditions.RESUMED), "Deployment is resumed", rfc3339(now))
    return None
