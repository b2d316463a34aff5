"""Why a pod is not running, on one line: the first thing that is wrong, in the words of whoever found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_LONGEST: Final = 160


def why_not_running(pod: Object) -> str:
    """'' for a pod that is running and ready, or has completed."""
    status = objects.status(pod)
    phase = status.get("phase")
    if objects.deletion_timestamp(pod):
        finalizers = ", ".join(objects.finalizers(pod))
        return f"Terminating since {objects.deletion_timestamp(pod)}" + (f", held by {finalizers}" if finalizers else "")
    if phase == "Succeeded":
        return ""
    if phase == "Failed":
        return _line(_failed(pod))
    if phase == "Running" and objects.is_condition_true(pod, "Ready"):
        return ""
    return _line(next(_reasons(pod), "") or str(status.get("message") or status.get("reason") or phase or "not yet seen by anyone"))


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _failed(pod: Object) -> str:
    status = objects.status(pod)
    told = ": ".join(str(status[field]) for field in ("reason", "message") if status.get(field))
    return told or next((_terminated(name, state) for name, state in _states(pod, "terminated") if state.get("exitCode")), "Failed")


def _reasons(pod: Object) -> Iterator[str]:
    """The most telling first."""
    scheduled = objects.condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        told = str(scheduled.get("message") or "no node found").partition(" preemption:")[0].partition(" no new claims")[0]
        yield f"{scheduled.get('reason') or 'Unscheduled'}: {told}"
    if not objects.spec(pod).get("nodeName"):
        yield "not scheduled yet: no scheduler has looked at it"
    for name, state in _states(pod, "waiting"):
        reason = str(state.get("reason") or "waiting")
        if reason not in ("PodInitializing", "ContainerCreating"):
            yield _waiting(pod, name, reason, str(state.get("message") or ""))
    for name, state in _states(pod, "terminated"):
        if state.get("exitCode"):
            yield _terminated(name, state)
    yield from _init_containers(pod)
    for name, state in _states(pod, "waiting"):
        yield f"container {name}: {state.get('reason') or 'waiting'}" + (f": {state['message']}" if state.get("message") else "")
    for kind in ("Initialized", "ContainersReady", "Ready"):
        condition = objects.condition(pod, kind)
        if condition is not None and condition.get("status") != "True":
            yield ": ".join(str(condition[field]) for field in ("reason", "message") if condition.get(field)) or f"not {kind}"


def _statuses(pod: Object) -> Iterator[Mapping[str, Any]]:
    status = objects.status(pod)
    for field in ("initContainerStatuses", "containerStatuses"):
        yield from (one for one in status.get(field) or () if isinstance(one, dict))


def _states(pod: Object, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for one in _statuses(pod):
        state = (one.get("state") or {}).get(kind)
        if isinstance(state, dict):
            yield str(one.get("name") or ""), state


def _waiting(pod: Object, name: str, reason: str, message: str) -> str:
    text = f"container {name}: {reason}"
    for one in _statuses(pod):
        last = (one.get("lastState") or {}).get("terminated")
        if one.get("name") == name and isinstance(last, dict):
            return f"{text}, {_ended(last)}, {one.get('restartCount') or 0} restarts"
    return f"{text}: {message}" if message else text


def _terminated(name: str, state: Mapping[str, Any]) -> str:
    return f"container {name}: {_ended(state)}"


def _ended(state: Mapping[str, Any]) -> str:
    told = f"exit code {state.get('exitCode')}"
    reason = state.get("reason")
    return told + (f" ({reason})" if reason and reason != "Error" else "") + (f": {state['message']}" if state.get("message") else "")


def _init_containers(pod: Object) -> Iterator[str]:
    for one in objects.status(pod).get("initContainerStatuses") or ():
        if isinstance(one, dict) and "running" in (one.get("state") or {}) and not one.get("started"):
            yield f"init container {one.get('name')} is running"
