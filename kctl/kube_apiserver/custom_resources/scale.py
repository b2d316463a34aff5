"""scale of a custom resource: the numbers at the paths its definition names, as an autoscaling/v1 Scale."""

from __future__ import annotations

from typing import cast

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.schemas import DecodeError
from kctl.apimachinery.status import BadRequest, InternalError
from kctl.kube_apiserver.custom_resources.endpoint import CustomEndpoint
from kctl.kube_apiserver.custom_resources.replicas import AccessError, ScalePaths, nested, put
from kctl.kube_apiserver.handlers import body, off_loop, options, patching
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response
from kctl.kube_apiserver.subresources.scale import COLUMNS, KEPT


def scale_of(obj: Object, paths: ScalePaths) -> Object:
    """Raises InternalError for an object without a replica count."""
    try:
        replicas = nested(obj, paths.spec, int)
        present = nested(obj, paths.status, int) or 0
        selector = nested(obj, paths.selector, str) if paths.selector else ""
    except AccessError as error:
        raise _internal(str(error)) from None
    if replicas is None:
        raise _internal(f'the spec replicas field "{paths.spec}" does not exist')
    meta = objects.metadata(obj)
    status: Object = {"replicas": present}
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in KEPT if key in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _internal(why: str) -> InternalError:
    return InternalError(f"Internal error occurred: {why}", details={"causes": [{"message": why}]})


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = cast(CustomEndpoint, request.endpoint)
    paths = endpoint.scale_paths
    assert paths is not None
    if request.verb == "get":
        entry = await endpoint.read(request.namespace, request.name)
        return ObjectAnswer(scale_of(entry.object, paths), endpoint=endpoint, columns=COLUMNS)
    if request.verb == "patch":
        stored = await _patch(endpoint, request, paths)
    else:
        options.check_write(request, "UpdateOptions")
        scale = await off_loop.run(request, body.decode, request, endpoint, "scale")
        body.check_name(request, scale)
        body.check_namespace(request, scale)
        stored, _ = await endpoint.update(
            request.namespace,
            request.name,
            lambda old: _scaled(old, scale, paths),
            request.caller(),
            subresource="scale",
            patch=not objects.resource_version(scale),
        )
    return ObjectAnswer(scale_of(stored, paths), endpoint=endpoint, columns=COLUMNS)


async def _patch(endpoint: CustomEndpoint, request: ResourceRequest, paths: ScalePaths) -> Object:
    meta = schemas.load().patch_meta("autoscaling/v1", "Scale")
    patcher = await off_loop.run(request, patching.patcher, request, endpoint, meta)
    options.check_write(request, "PatchOptions", apply=patcher.is_apply)
    schema = endpoint.schema("scale")

    def make(old: Object) -> Object:
        patched = patcher.apply(scale_of(old, paths))
        try:
            decoded = schema.decode(patched)
        except DecodeError as error:
            raise patcher.undecodable(str(error), "Scale", "autoscaling/v1") from None
        unknown = [schemas.unknown_field(path) for path in decoded.unknown_fields]
        patcher.strict_problems(request, "Scale", "autoscaling/v1", [*patcher.problems, *unknown])
        body.check_name(request, decoded.object)
        return _scaled(old, decoded.object, paths)

    stored, _ = await endpoint.update(request.namespace, request.name, make, request.caller(), subresource="scale", patch=True)
    return stored


def _scaled(old: Object, scale: Object, paths: ScalePaths) -> Object:
    """The object with the Scale's count. Raises BadRequest."""
    replicas = objects.spec(scale).get("replicas") or 0
    given = {key: value for key, value in objects.metadata(scale).items() if key in ("resourceVersion", "uid") and value}
    meta = {**objects.metadata(old), **given}
    try:
        return put({**old, "metadata": meta}, paths.spec, replicas)
    except AccessError as error:
        raise BadRequest(str(error)) from None
