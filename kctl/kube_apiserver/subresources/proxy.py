"""proxy: refused by name until it exists."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.status import ApiError, BadRequest
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import Response


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    entry = request.endpoint.get(request.namespace, request.name)
    if request.resource.plural == "pods" and not objects.spec(entry.object).get("nodeName"):
        raise BadRequest("address not allowed")
    what = f"{request.resource.plural}/{request.subresource}"
    raise ApiError(f"{what} is not supported by this server yet", code=501, reason="NotImplemented")
