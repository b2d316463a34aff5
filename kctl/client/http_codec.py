"""The Kubernetes API over HTTP, with no socket in it: an ApiRequest as bytes to send, an answer as objects, failures as errors.

The two transports (blocking_transport.py, https_transport.py) only move bytes; what stands here is the same for both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from kctl.apimachinery.json_reading import read_json
from kctl.apimachinery.status import ApiError, from_status
from kctl.client.errors import ConnectionFailed
from kctl.client.http_messages import Address, Head, ProtocolError, quote, request_bytes
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, WatchEvent

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
    texts = []
    for name, value in headers:
        if name == b"warning":
            texts += [text.replace('\\"', '"').replace("\\\\", "\\") for text in _WARNING.findall(value.decode())]
    return tuple(texts)


def event(line: bytes) -> WatchEvent:
    raw = read_json(line)
    return WatchEvent(raw["type"], raw["object"])


class HttpRequest:
    """What goes over the wire for one request, and what its answer means."""

    def __init__(self, codec: HttpCodec, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes | None) -> None:
        self._codec = codec
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body

    def encoded(self) -> bytes:
        """The bytes to send. Raises ProtocolError."""
        codec = self._codec
        every = [*codec.headers, *self.headers]
        if self.body is not None:
            every.append(("Content-Length", str(len(self.body))))
        if codec.log is not None:
            codec.log.request(self.method, codec.server + self.target, every, self.body)
        return request_bytes(self.method, codec.address.prefix + self.target, every, self.body)

    def failed(self, failure: BaseException) -> ConnectionFailed:
        """A network's, TLS's or protocol's failure in net/http's words."""
        codec = self._codec
        return ConnectionFailed(codec.server, codec.why(failure), method=self.method, url=codec.server + self.target)

    def timed_out(self) -> ConnectionFailed:
        codec = self._codec
        why = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
        return ConnectionFailed(codec.server, why, method=self.method, url=codec.server + self.target)


class HttpCodec:
    """`server` is a URL, https or http, perhaps with a path prefix. `headers` go with every request. Warnings of the server go to
    `on_warning`, the Date of answers to `on_date`, requests and answers to `log` (kctl.client.request_log)."""

    def __init__(
        self,
        server: str,
        headers: Headers,
        on_warning: Callable[[str], None] | None,
        log: Any,
        on_date: Callable[[bytes], None] | None = None,
    ) -> None:
        self.server = server.rstrip("/")
        self.address = Address.of(server)
        self.headers = flat({"Host": self.address.authority, **headers})
        self.log = log
        self._on_warning = on_warning
        self._on_date = on_date

    def request(self, request: ApiRequest) -> HttpRequest:
        target, headers, body = encode(request)
        return HttpRequest(self, METHODS[request.verb], target, headers, body)

    def raw(self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None, headers: Mapping[str, str]) -> HttpRequest:
        target = path + (("&" if "?" in path else "?") + query_text(query) if query else "")
        given = {name.lower() for name in headers}
        wanted = [] if "accept" in given else [("Accept", "application/json, */*")]
        wanted += headers.items()
        if body is not None and "content-type" not in given:
            wanted.append(("Content-Type", "application/json"))
        return HttpRequest(self, method, target, wanted, body)

    def heard(self, head: Head) -> tuple[str, ...]:
        """An answer's head has come: log it, and report the warnings in it."""
        if self.log is not None:
            self.log.response(head.status, head.reason, head.headers)
        if self._on_date is not None:
            self._on_date(head.get(b"date"))
        texts = warnings(head.headers)
        if self._on_warning is not None:
            for text in texts:
                self._on_warning(text)
        return texts

    def response(self, head: Head, data: bytes, texts: tuple[str, ...]) -> ApiResponse:
        """A whole answer. Raises ApiError where it is a failure."""
        if self.log is not None:
            self.log.body(data)
        answer = decode_object(data, head.status)
        if head.status >= 400:
            raise error(answer, data, head.status)
        return ApiResponse(head.status, answer, texts)

    def raw_response(self, head: Head, data: bytes) -> RawResponse:
        if self.log is not None:
            self.log.body(data)
        return RawResponse(head.status, {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}, data)

    def why(self, failure: BaseException) -> str:
        if isinstance(failure, ProtocolError):
            return str(failure)
        from kctl.client.connection_errors import describe

        return describe(failure, self.address.host, self.address.port)


class WatchLines:
    """The events of a watch from the pieces that its body comes in."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, part: bytes) -> list[WatchEvent]:
        *lines, self._rest = (self._rest + part).split(b"\n")
        return [event(line) for line in lines if line.strip()]


def flat(headers: Headers) -> list[tuple[str, str]]:
    return [(name, text) for name, value in headers.items() for text in ([value] if isinstance(value, str) else value)]


def query_text(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(key)}={quote(value)}" for key, value in sorted(query.items()))


def encode(request: ApiRequest) -> tuple[str, list[tuple[str, str]], bytes | None]:
    """The URL with its query, the headers and the body of a request."""
    query = dict(request.query)
    name = request.name
    if request.verb == "watch":
        query["watch"] = "true"
        if name:
            query["fieldSelector"] = f"metadata.name={name}"
            name = ""
    target = request.resource.path(quote(request.namespace), quote(name), request.subresource)
    if query:
        target += "?" + query_text(query)
    headers = [("Accept", request.accept or "application/json")]
    if request.body is None:
        return target, headers, None
    headers.append(("Content-Type", request.content_type or "application/json"))
    if isinstance(request.body, bytes):
        return target, headers, request.body
    import orjson

    return target, headers, orjson.dumps(request.body)


def decode_object(data: bytes, status: int) -> dict[str, Any]:
    try:
        decoded = read_json(data) if data else {}
    except ValueError:
        decoded = {}
    return decoded if isinstance(decoded, dict) else {"items": decoded}


def error(answer: dict[str, Any], data: bytes, status: int) -> ApiError:
    if answer.get("kind") == "Status":
        return from_status(answer, status)
    text = data.decode(errors="replace").strip() or "an error on the server has prevented the request from succeeding"
    reasons = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 503: "ServiceUnavailable", 500: "InternalError"}
    message = "the server could not find the requested resource" if status == 404 else text
    return from_status({"kind": "Status", "message": message, "reason": reasons.get(status, "")}, status)
