"""Warnings that belong to what is asked as such: its API version is deprecated, nothing in this cluster acts on the object, or the
components beside this server do not understand something in it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.caller import CANONICAL
from kctl.kube_apiserver.config import ApiServerConfig, NotActedOn
from kctl.kube_apiserver.request import Handler, Request, ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response

_DEPRECATED = {
    ("", "v1", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
    ("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}


_WRITES = frozenset({"create", "update", "patch"})


def with_warnings(handler: Handler, config: ApiServerConfig) -> Handler:
    """Components of the daemon (canonical bodies) read no warnings and get none."""
    on_create = _by_resource(config.not_acted_on)
    on_write = config.warnings_on_write

    def warn(request: Request) -> Awaitable[Response]:
        match request:
            case ResourceRequest() if request.form is not CANONICAL:
                return about(request, request.endpoint.resource)
        return handler(request)

    async def about(request: ResourceRequest, resource: ResourceType) -> Response:
        text = _DEPRECATED.get((resource.group, resource.version, resource.plural))
        if text:
            request.warnings.append(text)
        response = await handler(request)
        obj = response.object if isinstance(response, ObjectAnswer) else None
        if response.status == 201 and not request.subresource:
            for known in on_create.get((resource.group, resource.plural), ()):
                if known.concerns is None or known.concerns(obj or {}):
                    request.warnings.append(known.text)
        if on_write is not None and request.verb in _WRITES and not request.subresource and obj is not None:
            request.warnings += on_write(resource, obj)
        return response

    return warn


def _by_resource(not_acted_on: Iterable[NotActedOn]) -> dict[tuple[str, str], list[NotActedOn]]:
    on_create: dict[tuple[str, str], list[NotActedOn]] = {}
    for known in not_acted_on:
        for name in known.resources:
            plural, _, group = name.partition(".")
            on_create.setdefault((group, plural), []).append(known)
    return on_create
