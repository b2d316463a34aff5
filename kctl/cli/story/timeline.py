"""Sentences for what happened to an object and all it owns: pure functions from revisions and Events to lines.

Each component does one thing, and they meet only in the API server. So a line says who did it (the controller by its name, where the
manager alone says kube-controller-manager), what, and to which object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.cli.past.differences import differences
from kctl.cli.past.revisions import Revision

_SHOWN: Final = 3
_CONTROLLERS: Final = {
    "Deployment": "deployment-controller",
    "ReplicaSet": "replicaset-controller",
    "ReplicationController": "replication-controller",
    "StatefulSet": "statefulset-controller",
    "DaemonSet": "daemonset-controller",
    "Job": "job-controller",
    "CronJob": "cronjob-controller",
    "Service": "endpointslice-controller",
    "HorizontalPodAutoscaler": "horizontal-pod-autoscaler",
}
"""Who makes what such an owner owns, and writes its status."""

_TOLD_BY_REVISIONS: Final = frozenset({"SuccessfulCreate", "SuccessfulDelete"})
_MANAGER: Final = "kube-controller-manager"


class Line(NamedTuple):
    """`order` is the revision; `time` None where it is not known."""

    order: int
    time: datetime | None
    who: str
    what: str


def family(root: str, revisions: Iterable[Revision]) -> set[str]:
    """The uids of an object and of all that it owns or owned, in whatever order they are told."""
    owners: dict[str, set[str]] = {}
    for one in revisions:
        uids = {str(reference.get("uid") or "") for reference in objects.owner_references(one.object)}
        owners.setdefault(objects.uid(one.object), set()).update(uids)
    found = {root}
    while True:
        more = {uid for uid, owned_by in owners.items() if uid not in found and owned_by & found}
        if not more:
            return found
        found |= more


def name_of(obj: Object) -> str:
    return f"{str(obj.get('kind') or '').lower()}/{objects.name(obj)}"


def of_revision(one: Revision) -> Iterator[Line]:
    """What a revision tells; nothing where it tells nothing new."""
    obj, name = one.object, name_of(one.object)
    if one.type == "START":
        yield Line(one.number, one.time, "kube-apiserver", f"had {name} already, as far as its history goes back")
    elif one.type == "ADDED":
        yield Line(one.number, one.time, _author(one), f"created {name}{_made_of(obj)}; kube-apiserver admitted and stored it")
    elif one.type == "DELETED":
        yield Line(one.number, one.time, "kube-apiserver", f"removed {name}")
    elif one.previous is not None:
        for who, what in _changes(one, one.previous):
            yield Line(one.number, one.time, who or _author(one), what)


def _made_of(obj: Object) -> str:
    spec = objects.spec(obj)
    if obj.get("kind") == "Pod":
        images = [str(one.get("image")) for one in spec.get("containers") or () if isinstance(one, dict)]
        return f" ({', '.join(images)})" if images else ""
    replicas = spec.get("replicas")
    return f" with {replicas} replicas" if isinstance(replicas, int) and replicas != 1 else ""


def _author(one: Revision, *, of_status: bool = False) -> str:
    """Among the controllers, the owner's for what is made and wanted, the kind's own for what is observed."""
    names = [writer.manager for writer in one.writers]
    if _MANAGER not in names:
        return ", ".join(names) or "someone"
    owner = objects.controller_of(one.object)
    kind = str((owner or {}).get("kind") or "") if not of_status and owner is not None else str(one.object.get("kind") or "")
    return _CONTROLLERS.get(kind, _MANAGER)


def _changes(one: Revision, before: Object) -> Iterator[tuple[str, str]]:
    """(who, '' for the writer; what)"""
    obj, name = one.object, name_of(one.object)
    if objects.deletion_timestamp(obj) and not objects.deletion_timestamp(before):
        yield "kube-apiserver", f"marked {name} for deletion"
    node = objects.spec(obj).get("nodeName")
    if node and not objects.spec(before).get("nodeName") and obj.get("kind") == "Pod":
        yield "kube-scheduler", f"bound {name} to {node}"
    yield from (("", text) for text in _wishes(obj, before, name))
    if obj.get("kind") == "Pod":
        yield from ((f"kubelet on {node}" if node else "", text) for text in _pod(obj, before, name))
    else:
        yield from ((_author(one, of_status=True), text) for text in _status(obj, before, name))


def _wishes(obj: Object, before: Object, name: str) -> Iterator[str]:
    """Changes of what is wanted: everything but the status and a binding."""
    found = [
        change
        for change in differences(before, obj)
        if not change.path.startswith(("status", "spec.nodeName", "metadata.deletion", 'metadata.annotations["deployment.kubernetes.io/'))
    ]
    if found:
        told = ", ".join(str(change)[2:] if change.sign == "~" else str(change) for change in found[:_SHOWN])
        yield f"changed {name}: {told}" + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _pod(obj: Object, before: Object, name: str) -> Iterator[str]:
    now, then = objects.status(obj), objects.status(before)
    if now.get("phase") != then.get("phase") and then.get("phase"):
        address = f", address {now['podIP']}" if now.get("podIP") and not then.get("podIP") else ""
        yield f"reported {name} {now.get('phase')}{address}"
    for current in now.get("containerStatuses") or ():
        previous: dict[str, Any] = next((one for one in then.get("containerStatuses") or () if one.get("name") == current.get("name")), {})
        if (current.get("restartCount") or 0) > (previous.get("restartCount") or 0):
            yield f"restarted container {current.get('name')} of {name} ({current['restartCount']} times so far)"
        state, old = _state(current), _state(previous)
        if (
            state != old
            and state.startswith(("waiting: C", "waiting: Im", "waiting: Err", "ended"))
            and state != "waiting: ContainerCreating"
        ):
            yield f"found container {current.get('name')} of {name} {state}"
    if objects.is_condition_true(obj, "Ready") and not objects.is_condition_true(before, "Ready"):
        yield f"found {name} ready"
    elif objects.is_condition_true(before, "Ready") and not objects.is_condition_true(obj, "Ready"):
        yield f"found {name} no longer ready"


def _state(status: dict[str, Any]) -> str:
    state = status.get("state") or {}
    if "waiting" in state:
        return f"waiting: {(state['waiting'] or {}).get('reason') or ''}"
    if "terminated" in state:
        return f"ended with exit code {(state['terminated'] or {}).get('exitCode')}"
    return "running" if "running" in state else ""


def _status(obj: Object, before: Object, name: str) -> Iterator[str]:
    """Of a workload how many are ready; of anything the conditions that turned."""
    for field in ("readyReplicas", "numberReady", "succeeded"):
        now, then = objects.status(obj).get(field) or 0, objects.status(before).get(field) or 0
        if now != then:
            wanted = objects.spec(obj).get("replicas") or objects.status(obj).get("desiredNumberScheduled")
            yield f"counted {now}{f' of {wanted}' if wanted else ''} {'succeeded' if field == 'succeeded' else 'ready'} for {name}"
    for condition in objects.status(obj).get("conditions") or ():
        old = objects.condition(before, str(condition.get("type")))
        if condition.get("status") == "True" and (old is None or old.get("status") != "True"):
            yield f"found {name} {condition.get('type')} ({condition.get('reason') or ''})"


def of_event(event: Object) -> Line | None:
    """None for what revisions tell already."""
    reason = str(event.get("reason") or "")
    if reason in _TOLD_BY_REVISIONS:
        return None
    source = (
        (event.get("source") or {}).get("component") or event.get("reportingComponent") or event.get("reportingController") or "someone"
    )
    host = (event.get("source") or {}).get("host")
    about = event.get("involvedObject") or event.get("regarding") or {}
    name = f"{str(about.get('kind') or '').lower()}/{about.get('name') or ''}"
    times_told = event.get("count") or (event.get("series") or {}).get("count") or 1
    repeated = f" ({times_told} times)" if isinstance(times_told, int) and times_told > 1 else ""
    message = " ".join(str(event.get("message") or event.get("note") or "").split())
    who = f"{source} on {host}" if host and source == "kubelet" else str(source)
    return Line(_order(event), _time(event), who, f"said of {name}: {reason}: {message}{repeated}")


def _order(event: Object) -> int:
    try:
        return int(objects.resource_version(event))
    except ValueError:
        return 0


def _time(event: Object) -> datetime | None:
    for field in ("lastTimestamp", "eventTime", "firstTimestamp"):
        if isinstance(event.get(field), str) and event[field]:
            try:
                return times.parse(event[field])
            except ValueError:
                continue
    created = objects.metadata(event).get("creationTimestamp")
    return times.parse(created) if created else None
