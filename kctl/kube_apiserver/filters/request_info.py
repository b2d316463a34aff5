"""From method and path to verb, resource, namespace, name, subresource (upstream's RequestInfo and its routes)."""

from __future__ import annotations

from urllib.parse import unquote

from kctl.apimachinery.resources import ResourceTable, ResourceType
from kctl.apimachinery.status import ApiError, BadRequest, MethodNotSupported, NotFound
from kctl.kube_apiserver.registry.list_options import parse_bool
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response

_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_SUBRESOURCE_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}
_STREAMING = frozenset({"exec", "attach", "portforward", "proxy"})


def no_such_resource() -> ApiError:
    error = NotFound("the server could not find the requested resource")
    return _with_empty_details(error)


def not_allowed() -> ApiError:
    return _with_empty_details(MethodNotSupported("the server does not allow this method on the requested resource"))


def _with_empty_details(error: ApiError) -> ApiError:
    code = error.status.pop("code")
    error.status |= {"details": {}, "code": code}
    return error


def with_request_info(handler: Handler, table: ResourceTable) -> Handler:
    async def find_out(request: Request) -> Response:
        parts = request.path.split("/")[1:]
        if parts and parts[-1] == "":
            parts.pop()
        if len(parts) > 2 and parts[0] == "api":
            _resolve(request, table, "", parts[1], parts[2:])
        elif len(parts) > 3 and parts[0] == "apis":
            _resolve(request, table, parts[1], parts[2], parts[3:])
        else:
            request.verb = request.method.lower()
        return await handler(request)

    return find_out


def _resolve(request: Request, table: ResourceTable, group: str, version: str, rest: list[str]) -> None:
    if table.is_custom(group):
        from kctl.kube_apiserver.custom_resources import routes

        routes.resolve(request, table, group, version, rest)
        return
    versions = table.versions(group)
    if version not in versions:
        if versions:
            raise no_such_resource()
        request.verb = request.method.lower()
        return
    if "" in rest:
        raise no_such_resource()
    rest = [unquote(part) for part in rest]
    watch = False
    if rest[0] == "watch" and len(rest) > 1:
        watch, rest = True, rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (group == "" and _is_namespace_part(rest)):
        namespace, rest = rest[1], rest[2:]
    resource = table.by_plural(group, version, rest[0])
    if resource is None:
        raise no_such_resource()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    _check_shape(request, resource, namespace, name, subresource, rest)
    request.resource, request.namespace, request.name, request.subresource = resource, namespace, name, subresource
    request.verb = _verb(request, resource, watch)


def _is_namespace_part(rest: list[str]) -> bool:
    """namespaces/x/status and namespaces/x/finalize are about the namespace itself."""
    return len(rest) == 3 and rest[2] in ("status", "finalize")


def _check_shape(request: Request, resource: ResourceType, namespace: str, name: str, subresource: str, rest: list[str]) -> None:
    if namespace and not resource.namespaced:
        raise no_such_resource()
    if name and resource.namespaced and not namespace:
        raise no_such_resource()
    if subresource:
        known = resource.subresource(subresource)
        if known is None or (len(rest) > 3 and subresource != "proxy"):
            raise no_such_resource()
    if name in (".", ".."):
        raise BadRequest(f"Name parameter invalid: \"{name}\": may not be '{name}'")
    for letter in "/%":
        if letter in name:
            raise BadRequest(f"Name parameter invalid: \"{name}\": may not contain '{letter}'")


def _verb(request: Request, resource: ResourceType, watch: bool) -> str:
    method, subresource = request.method, request.subresource
    if subresource:
        if subresource in _STREAMING:
            return "connect"
        verb = _SUBRESOURCE_VERBS.get(method, "")
        known = resource.subresource(subresource)
        if known is None or verb not in known.verbs:
            raise not_allowed()
        return verb
    if request.name:
        if not any(verb in resource.verbs for verb in _OBJECT_VERBS.values()):
            raise no_such_resource()
        verb = _OBJECT_VERBS.get(method, "")
        if watch and verb == "get":
            verb = "watch"
    else:
        verb = _COLLECTION_VERBS.get(method, "")
        if verb == "list" and (watch or ("watch" in request.query and parse_bool(request.query["watch"]))):
            verb = "watch"
        if verb in ("create", "deletecollection") and resource.namespaced and not request.namespace:
            raise not_allowed()
    if verb not in resource.verbs:
        raise not_allowed()
    return verb
