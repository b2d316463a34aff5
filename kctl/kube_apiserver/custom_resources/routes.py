"""Which custom resource a path is about. What no definition serves is no path at all (404 page not found), as upstream's handler of custom
resources passes it on to nobody."""

from __future__ import annotations

from typing import NamedTuple

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, BadRequest, MethodNotSupported, not_found
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.registry import Registry

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_OBJECTS = frozenset({"get", "watch", "update", "patch", "delete"})
_OF_COLLECTIONS = frozenset({"list", "watch", "create", "deletecollection"})
_ACROSS_NAMESPACES = ("list", "watch")
Answer = tuple[Endpoint | None, str, ApiError | None]
"""Who serves it, the verb, and what is said where nobody does: None stands for the plain page that says 404."""


class Place(NamedTuple):
    """The names on a path."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str


def resolve(registry: Registry, method: str, place: Place, verb: str) -> Answer:
    """`verb`: what the path alone says."""
    resource = registry.table.by_plural(place.group, place.version, place.plural)
    if resource is None or bool(place.namespace) > resource.namespaced:
        return None, verb, None
    verb = verb or _VERBS.get(method, method.lower())
    if resource.namespaced and not place.namespace and verb not in _ACROSS_NAMESPACES:
        return None, verb, None
    error = _refusal(place, resource, verb)
    return (registry.endpoint(resource) if error is None else None), verb, error


def _refusal(place: Place, resource: ResourceType, verb: str) -> ApiError | None:
    name = place.name
    if name in (".", ".."):
        return BadRequest(f"Name parameter invalid: \"{name}\": may not be '{name}'")
    for letter in "/%":
        if letter in name:
            return BadRequest(f"Name parameter invalid: \"{name}\": may not contain '{letter}'")
    if place.subresource:
        known = resource.subresource(place.subresource)
        if known is None:
            return not_found(resource.group, resource.plural, name)
        possible = verb in known.verbs
    else:
        possible = verb in (_OF_OBJECTS if name else _OF_COLLECTIONS)
    if possible:
        return None
    details = {"group": resource.group, "kind": resource.plural}
    return MethodNotSupported(f'{verb} is not supported on resources of kind "{resource.group_resource}"', details=details)
