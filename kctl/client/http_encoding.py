"""An ApiRequest as HTTP and an HTTP answer as objects: what both HTTP transports share, with no socket in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from kctl.apimachinery.status import ApiError, from_status
from kctl.client.transport import ApiRequest, WatchEvent

Headers = Mapping[str, str | list[str]]

METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
    "connect": "POST",
}
_TEXT_SUBRESOURCES: Final = frozenset({"log"})
_WARNING = re.compile(r'\s*299 \S+ "((?:[^"\\]|\\.)*)"')


def is_stream(request: ApiRequest) -> bool:
    """Whether the answer is read as it comes: a watch, or a log."""
    return request.verb == "watch" or request.subresource in _TEXT_SUBRESOURCES


def warnings(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """The texts of an answer's Warning headers."""
    found = []
    for name, value in headers:
        if name == b"warning":
            found += [text.replace('\\"', '"').replace("\\\\", "\\") for text in _WARNING.findall(value.decode())]
    return tuple(found)


def event(line: bytes) -> WatchEvent:
    raw = orjson.loads(line)
    return WatchEvent(raw["type"], raw["object"])


def flat(headers: Headers) -> list[tuple[str, str]]:
    return [(name, one) for name, value in headers.items() for one in ([value] if isinstance(value, str) else value)]


def query_text(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in sorted(query.items()))


def encode(request: ApiRequest) -> tuple[str, list[tuple[str, str]], bytes | None]:
    """The URL with its query, the headers and the body of a request."""
    query = dict(request.query)
    name = request.name
    if request.verb == "watch":
        query["watch"] = "true"
        if name:
            query["fieldSelector"] = f"metadata.name={name}"
            name = ""
    target = request.resource.path(quote(request.namespace, safe=""), quote(name, safe=""), request.subresource)
    if query:
        target += "?" + query_text(query)
    headers = [("Accept", request.accept or "application/json")]
    if request.body is None:
        return target, headers, None
    headers.append(("Content-Type", request.content_type or "application/json"))
    body = request.body if isinstance(request.body, bytes) else orjson.dumps(request.body)
    return target, headers, body


def decode_object(data: bytes, status: int) -> dict[str, Any]:
    try:
        found = orjson.loads(data) if data else {}
    except orjson.JSONDecodeError:
        found = {}
    return found if isinstance(found, dict) else {"items": found}


def error(found: dict[str, Any], data: bytes, status: int) -> ApiError:
    if found.get("kind") == "Status":
        return from_status(found, status)
    text = data.decode(errors="replace").strip() or "an error on the server has prevented the request from succeeding"
    reasons = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 503: "ServiceUnavailable", 500: "InternalError"}
    message = "the server could not find the requested resource" if status == 404 else text
    return from_status({"kind": "Status", "message": message, "reason": reasons.get(status, "")}, status)
