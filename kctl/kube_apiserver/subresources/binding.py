"""POST pods/binding (and the old /bindings): give a pod its node. The scheduler's write, so it is short."""

from __future__ import annotations

from kctl.apimachinery import objects, times
from kctl.apimachinery.field_errors import FieldError, aggregate, required, unsupported
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import ApiError, BadRequest, conflict
from kctl.kube_apiserver.handlers import body, off_loop
from kctl.kube_apiserver.registry.preconditions import wrong_uid
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint if request.subresource else registry.endpoint(PODS)
    if request.is_canonical:
        binding: Object = request.body
    elif request.subresource:
        binding = await off_loop.run(request, body.decode, request, endpoint, "binding")
    else:
        binding = await off_loop.run(request, body.decode, request, request.endpoint)
    name = request.name or objects.name(binding)
    if not request.is_canonical:
        _validate(binding)
        if request.name and objects.name(binding) not in ("", request.name):
            raise BadRequest("name in URL does not match name in Binding object")
    now = times.rfc3339(registry.clock.now())
    caller = request.caller()
    admitted = await endpoint.admit_subresource(request.namespace, name, "binding", binding, caller)
    await endpoint.write_directly(request.namespace, name, lambda pod: _bound(pod, name, admitted, now), caller)
    return ObjectAnswer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


def _validate(binding: Object) -> None:
    errors: list[FieldError] = []
    target = binding.get("target") or {}
    if target.get("kind") not in (None, "", "Node"):
        errors.append(unsupported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        errors.append(required("target.name"))
    if errors:
        raise ApiError(aggregate(errors), code=500)


def _bound(pod: Object, name: str, binding: Object, now: str) -> Object:
    """Raises Conflict where the pod is another, gone, or has a node."""
    meta, spec = pod["metadata"], pod["spec"]
    wanted = objects.uid(binding)
    if wanted and wanted != meta.get("uid"):
        raise wrong_uid(PODS, pod, wanted)
    if meta.get("deletionTimestamp"):
        raise conflict("", "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise conflict("", "pods/binding", name, f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        raise conflict("", "pods/binding", name, f"pod {name} has non-empty .spec.schedulingGates")
    given = objects.metadata(binding)
    for part in ("annotations", "labels"):
        if given.get(part):
            meta = {**meta, part: {**(meta.get(part) or {}), **given[part]}}
    status = pod.get("status") or {}
    kept = objects.without_condition(status.get("conditions") or (), "PodScheduled")
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    return {
        **pod,
        "metadata": meta,
        "spec": {**spec, "nodeName": binding["target"]["name"]},
        "status": {**status, "conditions": [*kept, scheduled]},
    }
