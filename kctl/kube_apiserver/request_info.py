"""From method and path to verb, resource, namespace, name, subresource (upstream's RequestInfo and its routes).

Nothing is refused here: who may not ask must not learn what there is. What nothing serves becomes an `UnservedRequest`, whose error is
answered at the end of the handler chain.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, BadRequest, MethodNotSupported, NotFound
from kctl.kube_apiserver.registry.list_options import parse_bool
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import AggregatedRequest, Request, ResourceRequest, UnservedRequest, WireRequest

_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_SUBRESOURCE_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}
_MOST_PARTS = 32
"""Of a path: what stands behind these is one. Only what is proxied has more than ten."""
_LONGEST_PATH = 64 * 1024
"""Names are much shorter; what is longer is as little there escaped as not."""
_STREAMING = frozenset({"exec", "attach", "portforward", "proxy"})
_Asked = tuple[str, str, str, str, str, int]
"""verb (by method and path alone), plural, namespace, name, subresource, and how many parts the path has from the plural on"""


def no_such_resource() -> ApiError:
    error = NotFound("the server could not find the requested resource")
    return _with_empty_details(error)


def not_allowed() -> ApiError:
    return _with_empty_details(MethodNotSupported("the server does not allow this method on the requested resource"))


def _with_empty_details(error: ApiError) -> ApiError:
    code = error.status.pop("code")
    error.status |= {"details": {}, "code": code}
    return error


def resolve(wire: WireRequest, registry: Registry) -> Request:
    """What is asked, still without who asks (but for whom the way in knows)."""
    parts = wire.path.split("/", _MOST_PARTS)[1:]
    if parts and parts[-1] == "":
        parts.pop()
    if wire.error is not None:
        return UnservedRequest(verb=wire.method.lower(), error=wire.error, **_of_wire(wire))
    if len(parts) > 2 and parts[0] == "api":
        return _on_resource(wire, registry, "", parts[1], parts[2:])
    if (
        registry.aggregated is not None
        and len(parts) > 2
        and parts[0] == "apis"
        and registry.aggregated.way(parts[1], parts[2]) is not None
    ):
        verb = _taken_apart(wire, parts[1], [unquote(part) for part in parts[3:]])[0] if len(parts) > 3 else wire.method.lower()
        return AggregatedRequest(verb=verb, group=parts[1], version=parts[2], **_of_wire(wire))
    if len(parts) > 3 and parts[0] == "apis":
        return _on_resource(wire, registry, parts[1], parts[2], parts[3:])
    return Request(verb=wire.method.lower(), **_of_wire(wire))


def _of_wire(wire: WireRequest) -> dict[str, Any]:
    """What every kind of request has from it."""
    get = wire.headers.get
    return {
        "wire": wire,
        "query": wire.query,
        "user": wire.user,
        "accept": get("accept", ""),
        "content_type": get("content-type", ""),
        "program": get("user-agent", ""),
    }


def _on_resource(wire: WireRequest, registry: Registry, group: str, version: str, rest: list[str]) -> Request:
    if len(wire.path) < _LONGEST_PATH:
        rest = [unquote(part) if "%" in part else part for part in rest]
    asked = verb, plural, namespace, name, subresource, _ = _taken_apart(wire, group, rest)
    error: ApiError | None = None
    versions = registry.table.versions(group)
    if registry.table.is_custom(group):
        from kctl.kube_apiserver.custom_resources import routes

        where = routes.Place(group, version, plural, namespace, name, subresource)
        served_by, verb, error = (None, verb, None) if "" in rest else routes.resolve(registry, wire.method, where, verb)
        if served_by is not None:
            return ResourceRequest(verb=verb, endpoint=served_by, namespace=namespace, name=name, subresource=subresource, **_of_wire(wire))
    elif version in versions:
        resource = None if "" in rest and _has_gap(rest, subresource) else registry.table.by_plural(group, version, plural)
        try:
            if resource is None:
                raise no_such_resource()
            _check_shape(asked, resource)
            served = _verb(wire.method, asked, resource)
            endpoint = registry.endpoint(resource)
            return ResourceRequest(
                verb=served, endpoint=endpoint, namespace=namespace, name=name, subresource=subresource, **_of_wire(wire)
            )
        except ApiError as refused:
            error = refused
    elif versions:
        error = no_such_resource()
    names: dict[str, Any] = {
        "group": group,
        "version": version,
        "plural": plural,
        "namespace": namespace,
        "name": name,
        "subresource": subresource,
    }
    return UnservedRequest(verb=verb, error=error, **names, **_of_wire(wire))


def _taken_apart(wire: WireRequest, group: str, rest: list[str]) -> _Asked:
    """By the path alone, whatever there is."""
    watch = False
    if rest[0] == "watch" and len(rest) > 1:
        watch, rest = True, rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (group == "" and _is_namespace_part(rest)):
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = (*rest, "", "")[:3]
    verb = _SUBRESOURCE_VERBS.get(wire.method, "")
    if not name and verb == "delete":
        verb = "deletecollection"
    elif verb == "get" and not subresource:
        if watch or (not name and "watch" in wire.query and parse_bool(wire.query["watch"])):
            verb = "watch"
        elif not name:
            verb = "list"
    return verb, plural, namespace, name, subresource, len(rest)


def _has_gap(rest: list[str], subresource: str) -> bool:
    """What is proxied may have empty parts in its path."""
    return subresource != "proxy" or "" in rest[: rest.index("proxy")]


def _is_namespace_part(rest: list[str]) -> bool:
    """namespaces/x/status and namespaces/x/finalize are about the namespace itself."""
    return len(rest) == 3 and rest[2] in ("status", "finalize")


def _check_shape(asked: _Asked, resource: ResourceType) -> None:
    _, _, namespace, name, subresource, depth = asked
    if namespace and not resource.namespaced:
        raise no_such_resource()
    if name and resource.namespaced and not namespace:
        raise no_such_resource()
    if subresource and (resource.subresource(subresource) is None or (depth > 3 and subresource != "proxy")):
        raise no_such_resource()
    if name in (".", ".."):
        raise BadRequest(f"Name parameter invalid: \"{name}\": may not be '{name}'")
    for letter in "/%":
        if letter in name:
            raise BadRequest(f"Name parameter invalid: \"{name}\": may not contain '{letter}'")


def _verb(method: str, asked: _Asked, resource: ResourceType) -> str:
    """Raises what a method is refused with that the resource does not have."""
    by_path, _, namespace, name, subresource, _ = asked
    if subresource:
        return _subresource_verb(method, resource, subresource)
    if name:
        if not any(verb in resource.verbs for verb in _OBJECT_VERBS.values()):
            raise no_such_resource()
        verb = _OBJECT_VERBS.get(method, "")
    else:
        verb = _COLLECTION_VERBS.get(method, "")
        if verb in ("create", "deletecollection") and resource.namespaced and not namespace:
            raise not_allowed()
    if verb in ("get", "list"):
        verb = by_path
    if verb not in resource.verbs:
        raise not_allowed()
    return verb


def _subresource_verb(method: str, resource: ResourceType, subresource: str) -> str:
    if subresource in _STREAMING:
        return "connect"
    verb = _SUBRESOURCE_VERBS.get(method, "")
    known = resource.subresource(subresource)
    if known is None or verb not in known.verbs:
        raise not_allowed()
    return verb
