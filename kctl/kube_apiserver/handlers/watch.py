"""GET with watch=true, and the old paths under /api/v1/watch/."""

from __future__ import annotations

from kctl.kube_apiserver import representation
from kctl.kube_apiserver.registry import list_options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import Response, WatchAnswer


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    options = await list_options.parse_beside(registry.clock, request.query, watch=True)
    if request.accept:
        representation.check_stream(request)
    remote = not request.in_process
    stream = endpoint.watch(request.namespace, options, request.name, remote=remote)
    return WatchAnswer(stream)
