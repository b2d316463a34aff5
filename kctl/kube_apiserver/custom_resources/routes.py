"""Which custom resource a path is about. What no definition serves is no path at all (404 page not found), as upstream's handler of custom
resources passes it on to nobody."""

from __future__ import annotations

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, BadRequest, MethodNotSupported, not_found
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import Request, ResourceRequest, UnservedRequest

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_OBJECTS = frozenset({"get", "watch", "update", "patch", "delete"})
_OF_COLLECTIONS = frozenset({"list", "watch", "create", "deletecollection"})
_ACROSS_NAMESPACES = ("list", "watch")


def resolve(registry: Registry, method: str, asked: UnservedRequest) -> Request:
    """`asked`: what the path alone says."""
    resource = registry.table.by_plural(asked.group, asked.version, asked.plural)
    if resource is None or bool(asked.namespace) > resource.namespaced:
        return asked
    verb = asked.verb if asked.verb or asked.subresource else _VERBS.get(method, method.lower())
    if resource.namespaced and not asked.namespace and verb not in _ACROSS_NAMESPACES:
        return asked
    asked.error = _refusal(asked, resource, verb, method)
    if asked.error is not None:
        return asked
    endpoint = registry.endpoint(resource)
    return ResourceRequest(verb=verb, endpoint=endpoint, namespace=asked.namespace, name=asked.name, subresource=asked.subresource)


def _refusal(asked: UnservedRequest, resource: ResourceType, verb: str, method: str) -> ApiError | None:
    name = asked.name
    if name in (".", ".."):
        return BadRequest(f"Name parameter invalid: \"{name}\": may not be '{name}'")
    for letter in "/%":
        if letter in name:
            return BadRequest(f"Name parameter invalid: \"{name}\": may not contain '{letter}'")
    if asked.subresource:
        known = resource.subresource(asked.subresource)
        if known is None:
            return not_found(resource.group, resource.plural, name)
        possible = verb in known.verbs
    else:
        possible = verb in (_OF_OBJECTS if name else _OF_COLLECTIONS)
    if possible:
        return None
    details = {"group": resource.group, "kind": resource.plural}
    shown = verb or _VERBS.get(method, method.lower())
    return MethodNotSupported(f'{shown} is not supported on resources of kind "{resource.group_resource}"', details=details)
