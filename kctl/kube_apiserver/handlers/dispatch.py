"""From a request on a resource to the file that answers it: one handler for each verb, one for each subresource."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Protocol

from kctl.apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS
from kctl.apimachinery.status import MethodNotSupported
from kctl.kube_apiserver import representation
from kctl.kube_apiserver.handlers import preparation
from kctl.kube_apiserver.handlers.preparation import Place, Way
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import Response

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
    "proxy": "proxy",
}
_CHANGING = ("create", "update", "patch")
_VIRTUAL: dict[tuple[str, str], Place] = {
    ("", "bindings"): ("subresources", "binding"),
    ("", "componentstatuses"): ("virtual_resources", "component_status"),
    ("metrics.k8s.io", "*"): ("virtual_resources", "resource_metrics"),
    ("authentication.k8s.io", "*"): ("virtual_resources", "authentication_review"),
    ("authorization.k8s.io", "*"): ("virtual_resources", "authorization_review"),
}
"""What is answered and never stored: package and module."""


def place_of(request: ResourceRequest) -> Place:
    """Raises MethodNotSupported for what the resource does not do."""
    resource = request.endpoint.resource
    virtual = _VIRTUAL.get((resource.group, resource.plural)) or _VIRTUAL.get((resource.group, "*"))
    if virtual and not request.subresource:
        return virtual
    if request.subresource and request.subresource not in _SAME_OBJECT:
        module = _SUBRESOURCES.get(request.subresource)
        if module is None:
            raise MethodNotSupported(f"the subresource {resource.plural}/{request.subresource} is not supported")
        return "custom_resources" if request.endpoint.custom else "subresources", module
    return "handlers", _VERBS[request.verb]


Key = tuple[str, str, str, str, str]
"""group, version, plural, subresource, verb"""


class View(Protocol):
    """Of a custom resource that a webhook converts."""

    async def caught_up(self) -> None: ...


class Dispatcher:
    """The end of the chain for requests on resources."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._ways: dict[Key, Way] = {}

    def dispatch(self, request: ResourceRequest) -> Awaitable[Response]:
        """Raises what `place_of` raises, and NotAcceptable; everything else is raised by what it returns."""
        if request.accept:
            representation.check(request)
        resource = request.endpoint.resource
        key = (resource.group, resource.version, resource.plural, request.subresource, request.verb)
        way = self._ways.get(key)
        # components say no more than the key does, unless they patch, select or want a table
        plain = request.wire is None and not (request.accept or request.content_type or request.query)
        if way is None or not (plain or preparation.is_enough(way, request)):
            return self._prepared(request, key, way)
        if request.endpoint.custom:
            view = getattr(request.endpoint, "view", None)
            if view is not None and (view.lag or view.ended):
                return self._viewed(request, view, way)
            _warn(request)
        elif resource == CUSTOM_RESOURCE_DEFINITIONS and request.verb in _CHANGING:
            return self._defined(way.handle(self._registry, request))
        return way.handle(self._registry, request)

    async def _prepared(self, request: ResourceRequest, key: Key, way: Way | None) -> Response:
        registry, place = self._registry, place_of(request)
        if preparation.is_at_hand(registry, request, place, way):
            self._ways[key] = preparation.fetch(registry, request, place, way)
        else:
            self._ways[key] = await registry.clock.beside(partial(preparation.fetch, registry, request, place, way))
        return await self.dispatch(request)

    async def _viewed(self, request: ResourceRequest, view: View, way: Way) -> Response:
        """When what is stored is there in the version that is asked for, by the definition as it is then."""
        await view.caught_up()
        endpoint = self._registry.endpoint(request.endpoint.resource)
        if endpoint is not request.endpoint:
            request.endpoint = endpoint
            return await self.dispatch(request)
        _warn(request)
        return await way.handle(self._registry, request)

    async def _defined(self, answer: Awaitable[Response]) -> Response:
        """Whoever writes a definition is answered when it is served, or is told why not."""
        response = await answer
        if self._registry.definitions is not None:
            await self._registry.definitions.caught_up()
        return response


def _warn(request: ResourceRequest) -> None:
    """What is said of a custom resource whatever is asked."""
    if request.endpoint.warnings and not request.is_canonical:
        request.warnings += request.endpoint.warnings
