"""How an object fares, in a word or two and a colour: what `kctl tree` prints behind each name.

Green: as it is meant to be; yellow: on its way; red: wrong. Kinds without a state of their own say nothing, others are asked for a condition
Ready or Available.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.tree.why import why_not_running

Colour = Literal["green", "yellow", "red"]


class Health(NamedTuple):
    """`text` '' where the kind has no state."""

    text: str
    colour: Colour = "green"


def health_of(obj: Object) -> Health:
    if objects.deletion_timestamp(obj):
        return Health("Terminating", "yellow")
    asked = _BY_KIND.get(str(obj.get("kind") or ""))
    return asked(obj) if asked is not None else _by_condition(obj)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _counted(field: str, wanted: Callable[[Object], int]) -> Callable[[Object], Health]:
    def health(obj: Object) -> Health:
        ready, desired = _number(objects.status(obj).get(field)), wanted(obj)
        return Health(f"{ready}/{desired} ready", "green" if ready >= desired else "yellow")

    return health


def _replicas(obj: Object) -> int:
    value = objects.spec(obj).get("replicas")
    return 1 if value is None else _number(value)


def _deployment(obj: Object) -> Health:
    progress = objects.condition(obj, "Progressing")
    if progress is not None and progress.get("reason") == "ProgressDeadlineExceeded":
        return Health("ProgressDeadlineExceeded", "red")
    return _counted("readyReplicas", _replicas)(obj)


def _job(obj: Object) -> Health:
    status = objects.status(obj)
    if objects.is_condition_true(obj, "Failed"):
        return Health(f"Failed: {(objects.condition(obj, 'Failed') or {}).get('reason') or ''}".rstrip(": "), "red")
    if objects.is_condition_true(obj, "Complete"):
        return Health("Complete")
    return Health(f"{_number(status.get('active'))} active, {_number(status.get('succeeded'))} succeeded", "yellow")


def _pod(obj: Object) -> Health:
    why = why_not_running(obj)
    status = objects.status(obj)
    phase = str(status.get("phase") or "Unknown")
    if not why:
        return Health("Completed" if phase == "Succeeded" else phase)
    return Health(why, "red" if phase == "Failed" or "CrashLoopBackOff" in why or "BackOff" in why or "Err" in why else "yellow")


def _phase(good: str, bad: str = "") -> Callable[[Object], Health]:
    def health(obj: Object) -> Health:
        phase = str(objects.status(obj).get("phase") or "")
        return Health(phase, "green" if phase in good.split() else "red" if phase in bad.split() else "yellow")

    return health


def _node(obj: Object) -> Health:
    ready = objects.is_condition_true(obj, "Ready")
    cordoned = ", SchedulingDisabled" if objects.spec(obj).get("unschedulable") else ""
    return Health(("Ready" if ready else "NotReady") + cordoned, "red" if not ready else "yellow" if cordoned else "green")


def _by_condition(obj: Object) -> Health:
    for name in ("Ready", "Available"):
        condition: Mapping[str, Any] | None = objects.condition(obj, name)
        if condition is not None:
            good = condition.get("status") == "True"
            return Health(
                name if good else f"not {name}: {condition.get('reason') or condition.get('message') or ''}".rstrip(": "),
                "green" if good else "red",
            )
    return Health("")


_BY_KIND: Final[dict[str, Callable[[Object], Health]]] = {
    "Deployment": _deployment,
    "ReplicaSet": _counted("readyReplicas", _replicas),
    "ReplicationController": _counted("readyReplicas", _replicas),
    "StatefulSet": _counted("readyReplicas", _replicas),
    "DaemonSet": _counted("numberReady", lambda obj: _number(objects.status(obj).get("desiredNumberScheduled"))),
    "Job": _job,
    "Pod": _pod,
    "PersistentVolumeClaim": _phase("Bound", "Lost"),
    "PersistentVolume": _phase("Bound Available", "Failed"),
    "Namespace": _phase("Active"),
    "Node": _node,
}
