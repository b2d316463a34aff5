"""scale of a custom resource: the numbers at the paths its definition names, as an autoscaling/v1 Scale."""

from __future__ import annotations

from functools import partial
from typing import cast

from kctl.apimachinery import objects
from kctl.apimachinery.field_ownership.paths import fields
from kctl.apimachinery.field_ownership.scale import SCALE_VERSION
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest, InternalError
from kctl.kube_apiserver.custom_resources.endpoint import CustomEndpoint
from kctl.kube_apiserver.custom_resources.replicas import AccessError, ScalePaths, nested, put
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response
from kctl.kube_apiserver.subresources.scale import COLUMNS, KEPT, Scaling, write


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
        "apiVersion": SCALE_VERSION,
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
    replicas = fields(*paths.spec.removeprefix(".").split("."))
    return await write(request, Scaling(partial(scale_of, paths=paths), partial(_scaled, paths=paths), replicas, keeps_revision=True))


def _scaled(old: Object, scale: Object, paths: ScalePaths) -> Object:
    """The object with the Scale's count. Raises BadRequest."""
    replicas = objects.spec(scale).get("replicas") or 0
    given = {key: value for key, value in objects.metadata(scale).items() if key in ("resourceVersion", "uid") and value}
    meta = {**objects.metadata(old), **given}
    try:
        return put({**old, "metadata": meta}, paths.spec, replicas)
    except AccessError as error:
        raise BadRequest(str(error)) from None
