"""What a pod on a node takes while its containers are being resized in place: the most of what it asks for, what it was granted and what it
has (component-helpers' PodRequests with UseStatusResources). Pure."""

from __future__ import annotations

from controllers.kube_scheduler.pod_info import PodInfo, PodShape, Shapes, shape_of
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object


def resized(pod: Object, shapes: Shapes) -> PodInfo:
    """As it counts on its node: what it has counts as long as it is more than what it asks for."""
    info = PodInfo.of(pod, shapes)
    info.shape = while_resizing(pod, info.shape)
    return info


def while_resizing(pod: Object, shape: PodShape) -> PodShape:
    """`shape` itself where nothing is under way."""
    status, spec = pod.get("status") or {}, pod["spec"]
    statuses = {
        each.get("name"): each
        for kind in ("containerStatuses", "initContainerStatuses")
        for each in status.get(kind) or ()
        if each.get("resources") or each.get("allocatedResources")
    }
    if not statuses:
        return shape
    pending = objects.condition(pod, "PodResizePending") or {}
    infeasible = pending.get("status", "True") == "True" and pending.get("reason") == "Infeasible"
    changed: Object = {}
    for kind in ("containers", "initContainers"):
        containers = [_with_status(container, statuses.get(container.get("name")), infeasible) for container in spec.get(kind) or ()]
        if any(new is not old for new, old in zip(containers, spec.get(kind) or (), strict=True)):
            changed[kind] = containers
    return shape_of({**spec, **changed}) if changed else shape


def _with_status(container: Object, status: Object | None, infeasible: bool) -> Object:
    if status is None:
        return container
    resources = container.get("resources") or {}
    asked = resources.get("requests") or {}
    given = [status.get("allocatedResources") or {}, (status.get("resources") or {}).get("requests") or {}]
    most: Object = {} if infeasible else dict(asked)
    for each in given:
        for name, value in each.items():
            if name not in most or quantity.parse(value) > quantity.parse(most[name]):
                most[name] = value
    same = most.keys() == asked.keys() and all(quantity.parse(most[name]) == quantity.parse(asked[name]) for name in most)
    return container if same else {**container, "resources": {**resources, "requests": most}}
