"""Requests on custom resources: the handlers are those of built-in kinds, but for a scale, which is read from the paths the definition
names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kctl.apimachinery.status import MethodNotSupported, not_found
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import Response

Handle = Callable[[Registry, ResourceRequest], Awaitable[Response]]


async def handle(registry: Registry, request: ResourceRequest, handler_for: Callable[[ResourceRequest], Handle]) -> Response:
    endpoint, resource = request.endpoint, request.resource
    if endpoint.warnings and not request.is_canonical:
        request.warnings += endpoint.warnings
    if not request.subresource:
        return await handler_for(request)(registry, request)
    known = endpoint.resource.subresource(request.subresource)
    if known is None:  # in-process: whoever comes over HTTPS was told before
        raise not_found(resource.group, resource.plural, request.name)
    if request.verb not in known.verbs:
        details = {"group": resource.group, "kind": resource.plural}
        raise MethodNotSupported(f'{request.verb} is not supported on resources of kind "{resource.group_resource}"', details=details)
    if request.subresource == "scale":
        from kctl.kube_apiserver.custom_resources import scale

        return await scale.handle(registry, request)
    return await handler_for(request)(registry, request)
