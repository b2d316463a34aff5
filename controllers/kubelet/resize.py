"""In-place resizes of running pods (the kubelet's allocation manager): whether the node has room for the new size, and what is said of
it. Pure. Imported when somebody resizes a pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from controllers.kubelet.admission import NodeUsage, demand
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

INFEASIBLE, DEFERRED = "Infeasible", "Deferred"
_RESIZED = ("cpu", "memory")
_GROUPS = ("initContainers", "containers")


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
