"""What a request wants, as authorization sees it (upstream's RequestInfo): read from the path alone, whatever is served there."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from kctl.apimachinery import fields
from kctl.apimachinery.status import BadRequest
from kctl.apimachinery.user import User
from kctl.kube_apiserver.authorization.attributes import NO_FIELDS, Attributes
from kctl.kube_apiserver.registry.list_options import parse_bool
from kctl.kube_apiserver.request import Request, ResourceRequest, WireRequest

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_NAMESPACES = frozenset({"status", "finalize"})
_SELECTED = frozenset({"list", "watch", "deletecollection"})


def attributes_of(request: Request) -> Attributes:
    """Of the path alone, whatever is served there; a component's request has none and is taken apart already."""
    if request.wire is not None:
        return _of_path(request.wire, request.user)
    assert isinstance(request, ResourceRequest)
    return _of_component(request)


def _of_component(request: ResourceRequest) -> Attributes:
    resource, verb, name = request.endpoint.resource, request.verb, request.name
    selected = _fields(request.query) if verb in _SELECTED else NO_FIELDS
    return Attributes(
        request.user,
        verb,
        resource.group,
        resource.version,
        resource.plural,
        request.subresource,
        request.namespace or (name if resource.plural == "namespaces" and not resource.group else ""),
        name or _single(selected),
        "",
        selected,
    )


def _of_path(request: WireRequest, user: User) -> Attributes:
    parts = [unquote(part) for part in request.path.strip("/").split("/")]
    if parts[:2] == ["kctl.dev", "scheduling"]:  # about pods, and allowed to who may get or create those
        parts = ["api", "v1", *parts[2:]]
    if len(parts) < 3 or parts[0] not in ("api", "apis") or (parts[0] == "apis" and len(parts) < 4):
        return Attributes(user, request.method.lower(), path=request.path or "/")
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    verb = _VERBS.get(request.method, "")
    if rest[0] in ("watch", "proxy") and len(rest) > 1:
        verb, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
            rest = rest[2:]
    resource, name, subresource = (*rest[:3], "", "")[:3]
    if verb == "proxy":
        subresource = ""
    if not name and verb == "get":
        verb = "watch" if "watch" in request.query and parse_bool(request.query["watch"]) else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    selected = _fields(request.query) if verb in _SELECTED else NO_FIELDS
    return Attributes(user, verb, group, version, resource, subresource, namespace, name or _single(selected), "", selected)


def _fields(query: Mapping[str, str]) -> Mapping[str, str]:
    """None of a selector that cannot be read: the handler says what is wrong with it to whoever may ask."""
    text = query.get("fieldSelector")
    try:
        return fields.parse(text).wanted if text else NO_FIELDS
    except BadRequest:
        return NO_FIELDS


def _single(selected: Mapping[str, str]) -> str:
    """A list of the one object with that name counts as a request for it."""
    name = selected.get("metadata.name", "")
    return "" if name in (".", "..") or "/" in name or "%" in name else name
