"""In-place resizes of running pods (the kubelet's allocation manager): whether the node has room for the new size, and what is said of
it. Imported when somebody changes the spec of a pod that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from controllers.kubelet.admission import NodeUsage, demand
from controllers.kubelet.context import KubeletContext
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

INFEASIBLE, DEFERRED = "Infeasible", "Deferred"
_RESIZED = ("cpu", "memory")
_GROUPS = ("initContainers", "containers")


class SizedContainer(Protocol):
    name: str
    spec: Object

    def replace_spec(self, spec: Object) -> None: ...


class Room(Protocol):
    """A kubelet."""

    def try_resize(self, worker: Any, spec: Object) -> tuple[str, str] | None: ...


class SizedPod(Protocol):
    """A pod worker."""

    pod: Object
    context: KubeletContext
    allocated: Object
    resize_pending: tuple[str, str] | None
    stopping: bool

    @property
    def resizing(self) -> bool: ...

    @property
    def sized(self) -> Sequence[SizedContainer]:
        """Init containers and containers."""
        ...

    @property
    def node(self) -> Room: ...

    def container_resized(self) -> None: ...

    def changed(self) -> None: ...

    def event(self, type: str, reason: str, message: str, field_path: str = "") -> None: ...


def allocate(pod: SizedPod) -> None:
    """Give containers what the spec says now; another size only where the node has room for it."""
    spec = objects.spec(pod.pod)
    if not pod.stopping and _resources_of(spec) != _resources_of(pod.allocated):
        spec = _resized(pod, spec)
    else:
        pod.resize_pending = None
    pod.allocated = spec
    specs = {each["name"]: each for each in _sized(spec)}
    for worker in pod.sized:
        worker.replace_spec(specs.get(worker.name, worker.spec))


def _resized(pod: SizedPod, wanted: Object) -> Object:
    """The spec with what the pod gets of the size it wants."""
    generation = objects.generation(pod.pod)
    refusal = pod.node.try_resize(pod, wanted)
    if refusal is None:
        pod.resize_pending = None
        pod.event("Normal", "ResizeStarted", message("started", wanted, generation))
        pod.context.clock.call_later(0.0, pod.container_resized)
        return wanted
    if refusal != pod.resize_pending:
        reason, why = pod.resize_pending = refusal
        pod.event("Warning", f"Resize{reason}", message(reason, wanted, generation, why))
    given = {each["name"]: each.get("resources") or {} for each in _sized(pod.allocated)}
    return {**with_resources(wanted, given), "resources": pod.allocated.get("resources")}


def finish(pod: SizedPod) -> None:
    """Says so, once no container has to be restarted for its new size any more."""
    if not pod.resizing and not pod.stopping:
        pod.event("Normal", "ResizeCompleted", message("completed", pod.allocated, objects.generation(pod.pod)))
        pod.changed()


def recall(pod: SizedPod) -> None:
    """A pod that an earlier kubelet had not given the size it wants."""
    pod.allocated = allocated(pod.pod)
    specs = {each["name"]: each for each in _sized(pod.allocated)}
    for worker in pod.sized:
        worker.spec = specs.get(worker.name, worker.spec)
    condition = objects.condition(pod.pod, "PodResizePending") or {}
    pod.resize_pending = str(condition.get("reason") or ""), str(condition.get("message") or "")


def _sized(spec: Object) -> list[Object]:
    """The containers that have resources of their own for as long as the pod runs, and those before them."""
    return [*(spec.get("initContainers") or ()), *spec["containers"]]


def _resources_of(spec: Object) -> list[Any]:
    return [spec.get("resources"), *(each.get("resources") for each in _sized(spec))]


def problem(spec: Object, allocated: Object, usage: NodeUsage) -> tuple[str, str] | None:
    """(reason, message) why the pod, counted in `usage` as it was allocated, cannot have its new size; None where it can."""
    wanted, given = demand(spec).requests, demand(allocated).requests
    for name in reversed(_RESIZED):
        if wanted.get(name, 0) > (capacity := usage.allocatable.get(name, 0)):
            return INFEASIBLE, f"Node didn't have enough capacity: {name}, requested: {wanted[name]}, capacity: {capacity}"
    for name in _RESIZED:
        requested, capacity = wanted.get(name, 0), usage.allocatable.get(name, 0)
        used = usage.used.get(name, 0) - given.get(name, 0)
        if requested and used + requested > capacity:
            figures = f"requested: {requested}, used: {used}, capacity: {capacity}"
            return DEFERRED, f"Node didn't have enough resource: {name}, {figures}"
    return None


def needs_restart(container: Object, before: Object) -> bool:
    """By its resizePolicy, for those resources that are others now."""
    policies = {policy.get("resourceName"): policy.get("restartPolicy") for policy in container.get("resizePolicy") or ()}
    return any(policies.get(name) == "RestartContainer" and _of(container, name) != _of(before, name) for name in _RESIZED)


def _of(container: Object, name: str) -> list[Any]:
    resources = container.get("resources") or {}
    return [(resources.get(side) or {}).get(name) for side in ("requests", "limits")]


def with_resources(spec: Object, resources: Mapping[str, Any]) -> Object:
    """The spec with what containers, by their names, were given."""

    def given(container: Object) -> Object:
        return {**container, "resources": resources[container["name"]]} if container["name"] in resources else container

    return {**spec, **{group: [given(container) for container in spec[group]] for group in _GROUPS if spec.get(group)}}


def allocated(pod: Object) -> Object:
    """The spec as a kubelet before this one had allocated it, by the statuses it wrote."""
    status = objects.status(pod)
    shown = (each for field in ("initContainerStatuses", "containerStatuses") for each in status.get(field) or ())
    return with_resources(objects.spec(pod), {each["name"]: each["resources"] for each in shown if "resources" in each})


def message(happened: str, spec: Object, generation: int, error: str = "") -> str:
    """Of an event: `Pod resize started: {...}`."""
    summary: Object = {}
    for group in _GROUPS:
        containers = spec.get(group) or ()
        if containers:
            summary[group] = [{"name": each["name"], "resources": _in_go_order(each.get("resources") or {})} for each in containers]
    summary["generation"] = generation
    if error:
        summary["error"] = error
    return f"Pod resize {happened}: {orjson.dumps(summary).decode()}"


def _in_go_order(resources: Object) -> Object:
    return {side: dict(sorted(resources[side].items())) for side in ("limits", "requests") if resources.get(side)}
