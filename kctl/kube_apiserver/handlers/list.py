"""GET of a collection."""

from __future__ import annotations

from kctl.kube_apiserver.registry import list_options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ListAnswer, Response


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    options = await list_options.parse_beside(registry.clock, request.query, watch=False)
    listed = await endpoint.list(request.namespace, options)
    return ListAnswer(endpoint, listed.entries, listed.revision, listed.continue_token, listed.remaining)
