"""PUT of one object or of one of its subresources that are the object itself (status, ...)."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.caller import CANONICAL
from kctl.kube_apiserver.handlers import body, off_loop, options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response
from kctl.kube_apiserver.subresources import parts


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    if request.form is CANONICAL:
        obj: Object = request.body
    else:
        options.check_write(request, "UpdateOptions")
        obj = await off_loop.run(request, body.decode, request, endpoint)
    body.check_name(request, obj)
    body.check_namespace(request, obj)
    caller = request.caller()
    subresource = request.subresource

    def make(old: Object) -> Object:
        return parts.take_owned(endpoint, caller, subresource, obj, old)

    def new() -> Object:
        return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}}

    create = new if endpoint.strategy.allow_create_on_update else None
    stored, created = await endpoint.update(request.namespace, request.name, make, caller, subresource=subresource, create=create)
    return ObjectAnswer(stored, 201 if created else 200, endpoint)
