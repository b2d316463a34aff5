"""scale: a workload's replica count as an autoscaling/v1 Scale, alike for Deployments, ReplicaSets, StatefulSets and
ReplicationControllers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from kctl.apimachinery import labels, objects
from kctl.apimachinery.field_errors import invalid
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.schemas import DecodeError
from kctl.apimachinery.status import invalid as invalid_status
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, age
from kctl.kube_apiserver.handlers import body, off_loop, options, patching
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response


def _row(scale: Object, now: datetime) -> list[Any]:
    created = objects.metadata(scale).get("creationTimestamp")
    desired, present = objects.spec(scale).get("replicas") or 0, objects.status(scale).get("replicas") or 0
    return [objects.name(scale), desired, present, age(created, now)]


COLUMNS = Columns(
    (
        replace(NAME, format=""),
        Column("Desired", "replicas is the desired number of instances for the scaled object.", "integer"),
        Column("Available", "replicas is the actual number of observed instances of the scaled object.", "integer"),
        AGE,
    ),
    _row,
)
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Object) -> Object:
    """The Scale a workload shows."""
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    shown: dict[str, Any] = {"replicas": status.get("replicas") or 0}
    if selector := _selector_text(spec.get("selector")):
        shown["selector"] = selector
    replicas = spec.get("replicas") or 0
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in _KEPT if key in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": shown,
    }


def _selector_text(selector: Any) -> str:
    if not isinstance(selector, dict):
        return ""
    if "matchLabels" in selector or "matchExpressions" in selector:
        text = labels.format_selector(selector)
        return "" if text == "<none>" else text
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    if request.verb == "get":
        entry = endpoint.get(request.namespace, request.name)
        return ObjectAnswer(scale_of(entry.object), endpoint=endpoint, columns=COLUMNS)
    if request.verb == "patch":
        stored = await _patch(endpoint, request)
    else:
        options.check_write(request, "UpdateOptions")
        scale = await off_loop.run(request, body.decode, request, endpoint, "scale")
        body.check_name(request, scale)
        body.check_namespace(request, scale)
        stored, _ = await endpoint.update(
            request.namespace,
            request.name,
            lambda old: _scaled(old, scale),
            request.caller(),
            subresource="scale",
        )
    return ObjectAnswer(scale_of(stored), endpoint=endpoint, columns=COLUMNS)


async def _patch(endpoint: Endpoint, request: ResourceRequest) -> Object:
    meta = schemas.load().patch_meta("autoscaling/v1", "Scale")
    patcher = await off_loop.run(request, patching.patcher, request, endpoint, meta)
    options.check_write(request, "PatchOptions", apply=patcher.is_apply)
    schema = endpoint.schema("scale")

    def make(old: Object) -> Object:
        patched = patcher.apply(scale_of(old))
        try:
            decoded = schema.decode(patched)
        except DecodeError as error:
            raise patcher.undecodable(str(error), "Scale", "autoscaling/v1") from None
        unknown = [schemas.unknown_field(path) for path in decoded.unknown_fields]
        patcher.strict_problems(request, "Scale", "autoscaling/v1", [*patcher.problems, *unknown])
        body.check_name(request, decoded.object)
        return _scaled(old, decoded.object)

    stored, _ = await endpoint.update(request.namespace, request.name, make, request.caller(), subresource="scale", patch=True)
    return stored


def _scaled(old: Object, scale: Object) -> Object:
    """The workload with the Scale's count; raises Invalid for a negative one."""
    replicas = objects.spec(scale).get("replicas") or 0
    name = objects.name(scale)
    if replicas < 0:
        why = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid_status("autoscaling", "Scale", name, [why])
    meta = {**objects.metadata(old)}
    for field in ("resourceVersion", "uid"):
        given = objects.metadata(scale).get(field)
        if given:
            meta[field] = given
        elif field == "resourceVersion":
            meta.pop(field, None)
    copied: Object = objects.deep_copy(old)
    return {**copied, "metadata": meta, "spec": {**copied["spec"], "replicas": replicas}}
