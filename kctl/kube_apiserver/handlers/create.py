"""POST to a collection."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.caller import CANONICAL
from kctl.kube_apiserver.handlers import body, off_loop, options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    if request.form is CANONICAL:
        obj: Object = request.body
    else:
        options.check_write(request, "CreateOptions")
        obj = await off_loop.run(request, body.decode, request, endpoint)
    body.check_namespace(request, obj)
    created = await endpoint.create(request.namespace, obj, request.caller())
    return ObjectAnswer(created, 201, endpoint)
