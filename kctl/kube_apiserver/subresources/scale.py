"""scale: a workload's replica count as an autoscaling/v1 Scale, alike for Deployments, ReplicaSets, StatefulSets and
ReplicationControllers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from kctl.apimachinery import labels, objects
from kctl.apimachinery.field_errors import invalid
from kctl.apimachinery.field_ownership import builtin_fields, managed_fields, managers
from kctl.apimachinery.field_ownership.entries import UPDATE, Managed, manager
from kctl.apimachinery.field_ownership.managed_fields import FIELD
from kctl.apimachinery.field_ownership.scale import REPLICAS, SCALE_VERSION, to_parent, to_scale
from kctl.apimachinery.field_ownership.sets import Path
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.schemas import DecodeError
from kctl.apimachinery.status import invalid as invalid_status
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, age
from kctl.kube_apiserver.handlers import body, off_loop, options, patching
from kctl.kube_apiserver.handlers.patching import Patcher
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.list_options import parse_bool
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a kind shows itself as a Scale."""

    scale_of: Callable[[Object], Object]
    scaled: Callable[[Object, Object], Object]
    """The parent, of the present one and a Scale."""
    replicas: Path = REPLICAS
    keeps_revision: bool = False
    """A Scale without a resourceVersion is for the revision at hand."""


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
KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Object) -> Object:
    """The Scale a workload shows."""
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    shown: dict[str, Any] = {"replicas": status.get("replicas") or 0}
    if selector := _selector_text(spec.get("selector")):
        shown["selector"] = selector
    replicas = spec.get("replicas") or 0
    return {
        "kind": "Scale",
        "apiVersion": SCALE_VERSION,
        "metadata": {key: meta[key] for key in KEPT if key in meta},
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
    return await write(request, _WORKLOAD)


async def write(request: ResourceRequest, scaling: Scaling) -> Response:
    """What a PUT or PATCH of a Scale makes of its parent."""
    endpoint = request.endpoint
    if request.verb == "patch":
        stored = await _patch(endpoint, request, scaling)
    else:
        options.check_write(request, "UpdateOptions")
        scale = await off_loop.run(request, body.decode, request, endpoint, "scale")
        body.check_name(request, scale)
        body.check_namespace(request, scale)
        stored = await _update(endpoint, request, scaling, lambda old: scale)
    return ObjectAnswer(scaling.scale_of(stored), endpoint=endpoint, columns=COLUMNS)


async def _patch(endpoint: Endpoint, request: ResourceRequest, scaling: Scaling) -> Object:
    meta = schemas.load().patch_meta(SCALE_VERSION, "Scale")
    patcher = await off_loop.run(request, patching.patcher, request, endpoint, meta)
    options.check_write(request, "PatchOptions", apply=patcher.is_apply)
    schema = endpoint.schema("scale")

    def decoded_from(patched: Object) -> Object:
        try:
            decoded = schema.decode(patched)
        except DecodeError as error:
            raise patcher.undecodable(str(error), "Scale", SCALE_VERSION) from None
        unknown = [schemas.unknown_field(path) for path in decoded.unknown_fields]
        patcher.strict_problems(request, "Scale", SCALE_VERSION, [*patcher.problems, *unknown])
        body.check_name(request, decoded.object)
        return decoded.object

    if patcher.is_apply:
        return await _apply(endpoint, request, scaling, patcher, decoded_from)
    return await _update(endpoint, request, scaling, lambda old: decoded_from(patcher.apply(scaling.scale_of(old))), patch=True)


async def _update(
    endpoint: Endpoint, request: ResourceRequest, scaling: Scaling, make: Callable[[Object], Object], *, patch: bool = False
) -> Object:
    """Give the parent the count of the Scale that is made of it."""
    caller = request.caller()
    caller.applies = True  # who owns what is seen from the Scale, not from its parent
    writer = manager(caller.manager, UPDATE, SCALE_VERSION, "scale")

    def scaled(old: Object) -> Object:
        scale = make(old)
        owners = _owners(old)
        before = to_scale(owners, scaling.replicas)
        if before:
            after = managers.update(scaling.scale_of(old), scale, before, writer, endpoint.stamp(), _form())
            owners = to_parent(owners, after, endpoint.resource.api_version, scaling.replicas)
        return _owned(scaling.scaled(old, scale), owners)

    retried = patch or scaling.keeps_revision
    stored, _ = await endpoint.update(request.namespace, request.name, scaled, caller, subresource="scale", patch=retried)
    return stored


async def _apply(
    endpoint: Endpoint, request: ResourceRequest, scaling: Scaling, patcher: Patcher, decoded: Callable[[Object], Object]
) -> Object:
    from kctl.apimachinery.field_ownership import server_side_apply

    caller = request.caller()
    caller.applies = True
    force = "force" in request.query and parse_bool(request.query["force"])
    manager_name = request.query.get("fieldManager", "")

    def applied(old: Object) -> Object:
        live, owners = scaling.scale_of(old), _owners(old)
        before = to_scale(owners, scaling.replicas)
        made, after = server_side_apply.apply(
            live, patcher.document, before, manager_name, "scale", endpoint.stamp(), _form(), "Scale", force=force
        )
        return _owned(scaling.scaled(old, decoded(made)), to_parent(owners, after, endpoint.resource.api_version, scaling.replicas))

    stored, _ = await endpoint.update(request.namespace, request.name, applied, caller, subresource="scale", patch=True)
    return stored


def _owners(obj: Object) -> Managed:
    present = objects.metadata(obj).get(FIELD)
    return present.managed() if present is not None else {}


@cache
def _form() -> managers.PlainForm:
    """A Scale, as server-side apply sees it."""
    schema = schemas.load().for_kind(SCALE_VERSION, "Scale")
    assert schema is not None
    zero = schema.decode({"apiVersion": SCALE_VERSION, "kind": "Scale", "metadata": {}}).object
    return managers.PlainForm(SCALE_VERSION, builtin_fields.field_type(SCALE_VERSION, "Scale"), zero)


def _owned(parent: Object, owners: Managed) -> Object:
    meta = {**objects.metadata(parent), FIELD: managed_fields.of(owners)}
    if meta[FIELD] is None:
        del meta[FIELD]
    return {**parent, "metadata": meta}


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


_WORKLOAD = Scaling(scale_of, _scaled)
