"""From a request on a resource to the file that answers it: one handler for each verb, one for each subresource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module

from kctl.apimachinery.status import MethodNotSupported
from kctl.kube_apiserver import representation
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import Response

Handle = Callable[[Registry, ResourceRequest], Awaitable[Response]]

_VERBS = {
    "get": "get",
    "list": "list",
    "watch": "watch",
    "create": "create",
    "update": "update",
    "patch": "patch",
    "delete": "delete",
    "deletecollection": "delete_collection",
}
_SAME_OBJECT = frozenset({"status", "ephemeralcontainers", "resize", "approval", "finalize"})
_SUBRESOURCES = {
    "scale": "scale",
    "binding": "binding",
    "eviction": "eviction",
    "log": "log",
    "token": "token",
    "exec": "streaming",
    "attach": "streaming",
    "portforward": "streaming",
    "proxy": "streaming",
}
_VIRTUAL = {
    ("", "bindings"): ("subresources", "binding"),
    ("", "componentstatuses"): ("virtual_resources", "component_status"),
    ("metrics.k8s.io", "*"): ("virtual_resources", "resource_metrics"),
    ("authentication.k8s.io", "*"): ("virtual_resources", "authentication_review"),
    ("authorization.k8s.io", "*"): ("virtual_resources", "authorization_review"),
}
"""What is answered and never stored: package and module."""


@cache
def _handler(package: str, module: str) -> Handle:
    handle: Handle = import_module(f"kctl.kube_apiserver.{package}.{module}").handle
    return handle


def handler_for(request: ResourceRequest) -> Handle:
    """Raises MethodNotSupported for what the resource does not do."""
    resource = request.endpoint.resource
    virtual = _VIRTUAL.get((resource.group, resource.plural)) or _VIRTUAL.get((resource.group, "*"))
    if virtual and not request.subresource:
        return _handler(*virtual)
    if request.subresource and request.subresource not in _SAME_OBJECT:
        module = _SUBRESOURCES.get(request.subresource)
        if module is None:
            raise MethodNotSupported(f"the subresource {resource.plural}/{request.subresource} is not supported")
        return _handler("subresources", module)
    return _handler("handlers", _VERBS[request.verb])


async def dispatch(registry: Registry, request: ResourceRequest) -> Response:
    if request.accept:
        representation.check(request)
    return await handler_for(request)(registry, request)
