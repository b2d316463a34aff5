"""Which custom resource a path is about. What no definition serves is no path at all (404 page not found), as upstream's handler of custom
resources passes it on to nobody."""

from __future__ import annotations

from urllib.parse import unquote

from kctl.apimachinery.resources import ResourceTable, ResourceType
from kctl.apimachinery.status import BadRequest, MethodNotSupported
from kctl.kube_apiserver.registry.list_options import parse_bool
from kctl.kube_apiserver.request import Request

_OF_OBJECTS = {"GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_COLLECTIONS = {"GET": "list", "HEAD": "list", "POST": "create", "DELETE": "deletecollection"}
_ACROSS_NAMESPACES = ("list", "watch")


def resolve(request: Request, table: ResourceTable, group: str, version: str, rest: list[str]) -> None:
    """Sets what the request is about; nothing where there is no such path. Raises BadRequest, MethodNotSupported."""
    request.verb = request.method.lower()
    rest = [unquote(part) for part in rest]
    watch = False
    if rest[0] == "watch" and len(rest) > 1:
        watch, rest = True, rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource = table.by_plural(group, version, rest[0])
    if resource is None or "" in rest or bool(namespace) > resource.namespaced:
        return
    name = rest[1] if len(rest) > 1 else ""
    verb = _verb(request, name, watch)
    if resource.namespaced and not namespace and verb not in _ACROSS_NAMESPACES:
        return
    if name in (".", ".."):
        raise BadRequest(f"Name parameter invalid: \"{name}\": may not be '{name}'")
    for letter in "/%":
        if letter in name:
            raise BadRequest(f"Name parameter invalid: \"{name}\": may not contain '{letter}'")
    request.resource, request.namespace, request.name = resource, namespace, name
    request.subresource = "/".join(rest[2:])
    request.verb = verb or _refused(request, resource)


def _verb(request: Request, name: str, watch: bool) -> str:
    """'' for a method that is none on such a path."""
    if name:
        verb = _OF_OBJECTS.get(request.method, "")
        return "watch" if watch and verb == "get" else verb
    verb = _OF_COLLECTIONS.get(request.method, "")
    asked = watch or ("watch" in request.query and parse_bool(request.query["watch"]))
    return "watch" if verb == "list" and asked else verb


def _refused(request: Request, resource: ResourceType) -> str:
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(request.method, request.method.lower())
    details = {"group": resource.group, "kind": resource.plural}
    raise MethodNotSupported(f'{verb} is not supported on resources of kind "{resource.group_resource}"', details=details)
