"""The status of a pod as a kubelet writes it: phase, conditions in upstream's order, container statuses, addresses.

Built anew for each write from the pod worker's present state; conditions keep their lastTransitionTime where their status
did not change, and conditions of others (readiness gates, DisruptionTarget) are kept as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from controllers.kubelet.container import ContainerWorker
from controllers.kubelet.context import KubeletContext
from controllers.kubelet.phases import ContainerKind
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_RESIZE_CONDITIONS = ("PodResizePending", "PodResizeInProgress")
KUBELET_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", *_RESIZE_CONDITIONS)
_KEPT = ("nominatedNodeName", "qosClass", "resize", "resourceClaimStatuses", "extendedResourceClaimStatus")

_Condition = tuple[str, str, str, str]
"""type, status, reason, message"""


class NodeAddresses(Protocol):
    address: str
    host_ips: list[Object]


class PodState(Protocol):
    """What a status is made of: a pod worker."""

    pod: Object
    context: KubeletContext
    init: list[ContainerWorker]
    containers: list[ContainerWorker]
    ephemeral: list[ContainerWorker]
    resize_pending: tuple[str, str] | None
    told: Object | None
    ip: str
    sandbox: bool
    start_time: str
    failure: tuple[str, str] | None
    stopping: bool
    deletion_due: bool

    @property
    def node(self) -> NodeAddresses: ...
    @property
    def restart_policy(self) -> str: ...
    @property
    def host_network(self) -> bool: ...
    @property
    def deleting(self) -> bool: ...
    @property
    def alive(self) -> bool: ...
    @property
    def terminal(self) -> bool: ...
    @property
    def initialized(self) -> bool: ...
    @property
    def resizing(self) -> bool: ...


def build(worker: PodState) -> Object:
    pod = worker.pod
    old = objects.status(pod)
    shown = phase(worker)
    status: Object = {field: old[field] for field in _KEPT if field in old}
    generation = pod["metadata"].get("generation")
    if generation:
        status["observedGeneration"] = generation
    status["phase"] = shown
    if worker.failure is not None:
        status["reason"], status["message"] = worker.failure
    status["conditions"] = merge_conditions(old.get("conditions") or (), conditions(worker, shown), worker.context.stamp(), generation)
    if worker.start_time:
        status["startTime"] = worker.start_time
    status.update(_addresses(worker, old))
    if worker.failure is None or worker.sandbox or any(each.handle for each in worker.containers):
        _add_containers(worker, status)
    return status


def _addresses(worker: PodState, old: Object) -> Object:
    host = worker.node.address
    addresses: Object = {"hostIP": host, "hostIPs": worker.node.host_ips}
    if worker.host_network:
        if worker.sandbox:
            addresses |= {"podIP": host, "podIPs": worker.node.host_ips}
    elif worker.ip:
        addresses |= {"podIP": worker.ip, "podIPs": [{"ip": worker.ip}]}
    elif old.get("podIP"):
        addresses |= {"podIP": old["podIP"], "podIPs": old.get("podIPs")}
    if worker.failure is not None and not worker.start_time:
        return {}
    return addresses


def _add_containers(worker: PodState, status: Object) -> None:
    if worker.init:
        status["initContainerStatuses"] = [each.status() for each in worker.init]
    containers = worker.containers
    if len(containers) > 1:
        containers = sorted(containers, key=lambda each: each.name)
    status["containerStatuses"] = [each.status() for each in containers]
    if worker.ephemeral:
        status["ephemeralContainerStatuses"] = [each.status() for each in sorted(worker.ephemeral, key=lambda each: each.name)]


# ---- phase


def phase(worker: PodState) -> str:
    """As the kubelet's getPhase; a pod that has ended keeps its phase, by what this kubelet has told of it."""
    if worker.failure is not None and worker.terminal:
        return "Failed"
    old = (objects.status(worker.pod) if worker.told is None else worker.told).get("phase")
    if old in ("Succeeded", "Failed"):
        return str(old)
    seen = _phase_of_containers(worker)
    if worker.terminal and worker.deletion_due and seen not in ("Succeeded", "Failed"):
        return "Failed" if any(each.exit_code != 0 for each in worker.containers) else "Succeeded"
    return seen


def _phase_of_containers(worker: PodState) -> str:
    for each in worker.init:
        if each.kind is ContainerKind.SIDECAR:
            if not each.started and not worker.stopping and not any("running" in c.state for c in worker.containers):
                return "Pending"
        elif each.exit_code is None or not each.ready:
            if each.exit_code and worker.stopping:
                return "Failed"
            return "Pending"
    running = waiting = stopped = succeeded = 0
    for each in worker.containers:
        if "running" in each.state:
            running += 1
        elif "terminated" in each.state:
            stopped += 1
            succeeded += each.exit_code == 0
        elif each.last_state:
            stopped += 1
            succeeded += not (each.last_state.get("terminated") or {}).get("exitCode")
        else:
            waiting += 1
    if waiting:
        return "Pending"
    if running or not worker.stopping:
        return "Running"
    if any(each.alive for each in worker.init):
        return "Running"  # sidecars are still to end
    if worker.restart_policy == "Always" and not worker.deleting:
        return "Running"
    return "Succeeded" if stopped == succeeded else "Failed"


# ---- conditions


def conditions(worker: PodState, shown: str) -> list[_Condition]:
    ended = shown in ("Succeeded", "Failed")
    sandbox = "True" if worker.sandbox and not (worker.stopping and not worker.alive) else "False"
    ready = _containers_ready(worker, shown)
    resize: list[_Condition] = []
    if worker.resize_pending is not None and not ended:
        resize.append(("PodResizePending", "True", *worker.resize_pending))
    if worker.resizing and not ended:
        resize.append(("PodResizeInProgress", "True", "", ""))
    evicted: list[_Condition] = []
    failed, message = worker.failure or ("", "")
    if failed == "Evicted" and worker.start_time and objects.condition(worker.pod, "DisruptionTarget") is None:
        evicted.append(("DisruptionTarget", "True", "TerminationByKubelet", message))
    return [
        *evicted,
        *resize,
        ("PodReadyToStartContainers", "False" if ended else sandbox, "", ""),
        _initialized(worker, shown),
        _ready(worker, ready) if ready[0] == "True" else ("Ready", *ready),
        ("ContainersReady", *ready),
        ("PodScheduled", "True", "", ""),
    ]


def _initialized(worker: PodState, shown: str) -> _Condition:
    if shown == "Succeeded":
        return ("Initialized", "True", "PodCompleted", "")
    if not worker.init or worker.initialized or any("running" in each.state for each in worker.containers):
        return ("Initialized", "True", "", "")
    waiting = [each.name for each in worker.init if not (each.started if each.kind is ContainerKind.SIDECAR else each.ready)]
    if worker.failure is not None and not waiting:
        return ("Initialized", "True", "", "")
    return ("Initialized", "False", "ContainersNotInitialized", f"containers with incomplete status: {_names(waiting)}")


def _containers_ready(worker: PodState, shown: str) -> tuple[str, str, str]:
    if shown == "Succeeded":
        return ("False", "PodCompleted", "")
    if shown == "Failed":
        return ("False", "PodFailed", "")
    counted: Sequence[ContainerWorker] = worker.containers
    if worker.init:
        counted = [each for each in worker.init if each.kind is ContainerKind.SIDECAR] + [*counted]
    unready = [each.name for each in counted if not each.ready]
    if unready:
        return ("False", "ContainersNotReady", f"containers with unready status: {_names(unready)}")
    return ("True", "", "")


def _ready(worker: PodState, ready: tuple[str, str, str]) -> _Condition:
    gates = objects.spec(worker.pod).get("readinessGates")
    if not gates:
        return ("Ready", *ready)
    problems = []
    for gate in gates:
        kind = gate.get("conditionType")
        condition = objects.condition(worker.pod, kind)
        if condition is None:
            problems.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif condition.get("status") != "True":
            problems.append(f'the status of pod readiness gate "{kind}" is not "True", but {condition.get("status")}')
    if problems:
        return ("Ready", "False", "ReadinessGatesNotReady", ", ".join(problems))
    return ("Ready", *ready)


def _names(names: list[str]) -> str:
    return f"[{' '.join(names)}]"


def merge_conditions(old: Sequence[dict[str, Any]], wanted: Sequence[_Condition], now: str, generation: int | None) -> list[Object]:
    """Others' conditions first, then the kubelet's own in its order."""
    known = {condition["type"]: condition for condition in old}
    merged = [condition for condition in old if condition["type"] not in KUBELET_CONDITIONS]
    for kind, status, reason, message in wanted:
        before = known.get(kind)
        since = now
        if before is not None and before.get("status") == status and before.get("lastTransitionTime"):
            since = before["lastTransitionTime"]
        merged.append(_condition(kind, status, reason, message, since, generation))
    return merged


@lru_cache(maxsize=512)
def _condition(kind: str, status: str, reason: str, message: str, since: str, generation: int | None) -> Object:
    """Pods that start together share these dicts, which are values."""
    condition: Object = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    if generation:
        condition["observedGeneration"] = generation
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition
