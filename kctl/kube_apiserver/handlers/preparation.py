"""What a request needs that no request needed before, fetched beside the event loop: the modules of its verb, the rules and the schema of
its kind, the columns of tables, a reader of YAML or protobuf, the key of tokens.

A server starts without them, for most clusters never use most kinds; but an import takes tens of milliseconds, in which nobody else would
be answered. So the first request of its sort waits for a thread, alone, and all later ones find everything there.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from kctl.apimachinery.schema import schemas
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import Response

Handle = Callable[[Registry, ResourceRequest], Awaitable[Response]]
Place = tuple[str, str]
"""Package and module of a handler."""
_BODY, _RULES, _COLUMNS, _YAML, _PROTOBUF, _TOKENS, _APPLY = (1 << bit for bit in range(7))
_OF_VERB = {
    "create": _BODY | _RULES,
    "update": _BODY | _RULES,
    "patch": _BODY | _RULES,
    "delete": _RULES,
    "deletecollection": _RULES,
    "connect": _RULES,
}
_ONE_AT_A_TIME = threading.Lock()
"""Two threads that import what needs each other would see halves."""
_FETCHED: set[Hashable] = set()
"""What some server of this process has fetched: it is there for every other one, too."""


@dataclass(slots=True)
class Way:
    """Of requests of one verb on one resource or subresource."""

    handle: Handle
    prepared: int = 0


def is_enough(way: Way, request: ResourceRequest) -> bool:
    """Whether nothing is missing for this request."""
    return not _needs(request) & ~way.prepared


def is_at_hand(registry: Registry, request: ResourceRequest, place: Place, way: Way | None) -> bool:
    """Whether `fetch` has nothing left to import or to read, and need not be called in a thread."""
    needs = _missing(request, way)
    return not needs & _TOKENS and _fact(registry, request, place, needs) in _FETCHED


def fetch(registry: Registry, request: ResourceRequest, place: Place, way: Way | None) -> Way:
    """All that is missing; for a thread."""
    with _ONE_AT_A_TIME:
        needs = _missing(request, way)
        if way is None:
            way = Way(_handle(*place))
        _fetch(registry, request, needs)
        way.prepared |= needs
        _FETCHED.add(_fact(registry, request, place, needs))
    return way


def _missing(request: ResourceRequest, way: Way | None) -> int:
    needs = _needs(request)
    return needs if way is None else needs & ~way.prepared


def _fact(registry: Registry, request: ResourceRequest, place: Place, needs: int) -> Hashable:
    """All that decides what `fetch` imports and reads, the keys of tokens excepted, which each server has of its own."""
    resource = request.endpoint.resource
    if not needs and request.endpoint.conversion is None:
        return place
    awake = registry.shared.admission.awake if needs & _RULES else ()
    return place, needs, resource.group, resource.version, resource.plural, request.subresource, awake


@cache
def _handle(package: str, module: str) -> Handle:
    handle: Handle = import_module(f"kctl.kube_apiserver.{package}.{module}").handle
    return handle


def _needs(request: ResourceRequest) -> int:
    needs = _OF_VERB.get(request.verb, 0)
    if request.is_canonical:  # nothing is decoded
        needs &= ~_BODY
    if "as=Table" in request.accept:
        needs |= _COLUMNS
    if "yaml" in request.accept or "yaml" in request.content_type:
        needs |= _YAML
    if "protobuf" in request.content_type:
        needs |= _PROTOBUF
    if "apply-patch" in request.content_type:
        needs |= _APPLY
    if "fieldSelector" in request.query:
        needs |= _RULES
    if request.subresource == "token" or request.endpoint.resource.group == "authentication.k8s.io":
        needs |= _TOKENS
    return needs


def _fetch(registry: Registry, request: ResourceRequest, needs: int) -> None:
    resource = request.endpoint.resource
    registry.preload(resource, rules=bool(needs & _RULES))
    if needs & _BODY:
        schemas.load().for_resource(resource, request.subresource)
    if needs & _COLUMNS:
        import_module("kctl.kube_apiserver.columns.kinds").columns_for(resource)
    if needs & _YAML:
        import_module("kctl.apimachinery.yaml")
    if needs & _APPLY:
        import_module("kctl.kube_apiserver.handlers.applying")
    if needs & _PROTOBUF:
        import_module("kctl.kube_apiserver.protobuf").load()
    if needs & _TOKENS:
        registry.parts.service_account_tokens.load()
