"""Warnings that belong to an API version as such: it is deprecated, use another."""

from __future__ import annotations

from kctl.kube_apiserver.handler_chain import Handler
from kctl.kube_apiserver.request import Request, Response

_DEPRECATED = {
    ("", "v1", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
    ("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}


def with_warnings(handler: Handler) -> Handler:
    async def warn(request: Request) -> Response:
        resource = request.resource
        if resource is not None:
            text = _DEPRECATED.get((resource.group, resource.version, resource.plural))
            if text:
                request.warnings.append(text)
        return await handler(request)

    return warn
