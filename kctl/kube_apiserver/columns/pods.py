"""Table columns of pods. The status column tells what matters most: the reason of a container, of the pod, or its phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kctl.apimachinery import times
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, age, described

NONE = "<none>"
_SUCCEEDED = [{"type": "Completed", "status": "True", "reason": "Succeeded", "message": "The pod has completed successfully."}]
_FAILED = [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}]
_EMPTY: dict[str, Any] = {}

_COLUMNS = (
    NAME,
    Column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    Column("Status", "The aggregate status of the containers in this pod."),
    Column(
        "Restarts",
        "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
    ),
    AGE,
    described("IP", "PodStatus.podIP", priority=1),
    described("Node", "PodSpec.nodeName", priority=1),
    described("Nominated Node", "PodStatus.nominatedNodeName", priority=1),
    described("Readiness Gates", "PodSpec.readinessGates", priority=1),
)


class _Count:
    """Restarts so far, and when the last one was."""

    __slots__ = ("last", "restarts")

    def __init__(self) -> None:
        self.restarts = 0
        self.last = ""

    def add(self, status: Mapping[str, Any]) -> None:
        restarts = status.get("restartCount")
        if restarts:
            self.restarts += restarts
        previous = status.get("lastState")
        if previous and previous.get("terminated"):
            finished = previous["terminated"].get("finishedAt") or ""
            if finished > self.last:
                self.last = finished

    def text(self, now: datetime) -> str:
        if self.restarts and self.last:
            return f"{self.restarts} ({times.human_duration(now - times.parse(self.last))} ago)"
        return str(self.restarts)


def _row(obj: Object, now: datetime) -> list[Any]:
    meta, spec, status = obj["metadata"], obj.get("spec") or _EMPTY, obj.get("status") or _EMPTY
    phase = status.get("phase") or ""
    conditions = status.get("conditions") or ()
    reason = status.get("reason") or phase
    for condition in conditions:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    total, ready = len(spec.get("containers") or ()), 0
    restarts = _Count()
    initializing = False
    init_containers = spec.get("initContainers")
    if init_containers:
        sidecars = {c.get("name") for c in init_containers if c.get("restartPolicy") == "Always"}
        total += len(sidecars)
        statuses = status.get("initContainerStatuses") or ()
        uninitialized, ready, before, restarts = _initialization(statuses, sidecars, len(init_containers))
        if uninitialized:
            reason = uninitialized
            initializing = not _is_true(conditions, "Initialized")
            restarts = before if initializing else restarts
    if not initializing:
        reason, running = _containers(status.get("containerStatuses") or (), reason, restarts)
        ready += running
        if reason == "Completed" and running:
            reason = "Running" if _is_true(conditions, "Ready") else "NotReady"
    if meta.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif phase not in ("Succeeded", "Failed"):
            reason = "Terminating"
    addresses = status.get("podIPs")
    return [
        meta.get("name", ""),
        f"{ready}/{total}",
        reason,
        restarts.text(now),
        age(meta.get("creationTimestamp"), now),
        (addresses[0].get("ip") if addresses else status.get("podIP")) or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec.get("readinessGates"), conditions),
    ]


def _initialization(statuses: Sequence[Mapping[str, Any]], sidecars: set[Any], count: int) -> tuple[str, int, _Count, _Count]:
    """(why the pod is still initializing or '', ready sidecars, all restarts, restarts of sidecars), looking no further
    than the first container that is not done."""
    ready = 0
    restarts, of_sidecars = _Count(), _Count()
    for index, status in enumerate(statuses):
        restarts.add(status)
        is_sidecar = status.get("name") in sidecars
        if is_sidecar:
            of_sidecars.add(status)
        state = status.get("state") or _EMPTY
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if is_sidecar and status.get("started"):
            ready += bool(status.get("ready"))
            continue
        if terminated is not None:
            reason = "Init:" + (terminated.get("reason") or _exit(terminated))
        elif waiting and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            reason = "Init:" + waiting["reason"]
        else:
            reason = f"Init:{index}/{count}"
        return reason, ready, restarts, of_sidecars
    return "", ready, restarts, of_sidecars


def _exit(terminated: Mapping[str, Any]) -> str:
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode') or 0}"


def _containers(statuses: Sequence[Mapping[str, Any]], reason: str, restarts: _Count) -> tuple[str, int]:
    """The reason the first container gives, and how many run and are ready; from last to first, as upstream looks."""
    running = 0
    for status in reversed(statuses):
        restarts.add(status)
        state = status.get("state") or _EMPTY
        waiting, terminated = state.get("waiting"), state.get("terminated")
        if waiting and waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = terminated.get("reason") or _exit(terminated)
        elif status.get("ready") and state.get("running") is not None:
            running += 1
    return reason, running


def _is_true(conditions: Sequence[Mapping[str, Any]], kind: str) -> bool:
    return any(condition.get("type") == kind and condition.get("status") == "True" for condition in conditions)


def _gates(gates: Sequence[Mapping[str, Any]] | None, conditions: Sequence[Mapping[str, Any]]) -> str:
    if not gates:
        return NONE
    return f"{sum(_is_true(conditions, gate.get('conditionType') or '') for gate in gates)}/{len(gates)}"


def _conditions(obj: Object) -> list[dict[str, str]]:
    match (obj.get("status") or _EMPTY).get("phase"):
        case "Succeeded":
            return _SUCCEEDED
        case "Failed":
            return _FAILED
    return []


COLUMNS: dict[str, Columns] = {"pods": Columns(_COLUMNS, _row, _conditions)}
