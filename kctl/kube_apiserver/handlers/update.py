"""PUT of one object or of one of its subresources that are the object itself (status, ...)."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import NotFound
from kctl.kube_apiserver.handlers import body, off_loop, options
from kctl.kube_apiserver.registry.generic import Registry
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import ObjectAnswer, Response
from kctl.kube_apiserver.subresources import parts


async def handle(registry: Registry, request: Request) -> Response:
    assert request.resource is not None
    endpoint = registry.endpoint(request.resource)
    options.check_write(request, "UpdateOptions")
    obj = await off_loop.run(request, body.decode, request, endpoint)
    body.check_name(request, obj)
    body.check_namespace(request, obj)
    caller = request.caller()
    subresource = request.subresource

    def make(old: Object) -> Object:
        return parts.take(subresource, obj, old)

    try:
        stored = await registry.update(endpoint, request.namespace, request.name, make, caller, subresource=subresource)
    except NotFound:
        present = endpoint.key(request.namespace, request.name) in endpoint.cache.entries
        if present or subresource or not endpoint.strategy.allow_create_on_update:
            raise
        meta = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
        created = await registry.create(endpoint, request.namespace, {**obj, "metadata": meta}, caller)
        return ObjectAnswer(created, 201, endpoint)
    return ObjectAnswer(stored, endpoint=endpoint)
