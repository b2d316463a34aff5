"""HTTP/1.1 without input or output: bytes in, requests or responses out, each bounded. Written as Go's net/http writes it, since most
servers that tests meet are Go's."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, unquote

HEADER_BYTES = 64 * 1024
BODY_BYTES = 8 * 1024 * 1024

STATUS: Mapping[int, str] = {
    100: "Continue",
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    417: "Expectation Failed",
    418: "I'm a teapot",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
Headers = list[tuple[str, str]]


class BadMessage(Exception):
    """What came is not HTTP, or too much of it."""


def value_of(headers: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for each, value in headers if each.lower() == name.lower()), "")


@dataclass(slots=True)
class Request:
    method: str
    target: str
    version: str
    headers: Headers
    body: bytes = b""
    peer: str = ""

    @property
    def path(self) -> str:
        target = self.target
        if target.startswith(("http://", "https://")):
            target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
        return unquote(target.partition("?")[0]) or "/"

    @property
    def query(self) -> dict[str, str]:
        """The first value of each."""
        values: dict[str, str] = {}
        for name, value in parse_qsl(self.target.partition("?")[2], keep_blank_values=True, max_num_fields=1000):
            values.setdefault(name, value)
        return values

    @property
    def form(self) -> dict[str, str]:
        """Those of the body too, which win."""
        values = self.query
        if self.header("Content-Type").startswith("application/x-www-form-urlencoded"):
            values |= dict(reversed(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1000)))
        return values

    def header(self, name: str) -> str:
        return value_of(self.headers, name)

    @property
    def keeps_alive(self) -> bool:
        wish = self.header("Connection").lower()
        return wish != "close" if self.version == "HTTP/1.1" else wish == "keep-alive"


@dataclass(slots=True)
class Response:
    status: int = 200
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    close: bool = False
    """The connection ends after it."""
    drop: bool = False
    """The connection ends before it."""
    then: Callable[[], None] | None = None
    """What the server does when it is sent."""

    def header(self, name: str) -> str:
        return value_of(self.headers, name)


def text(body: str, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return Response(status, body.encode("utf-8", "surrogateescape"), list(headers))


def error(body: str, status: int) -> Response:
    """Go's http.Error."""
    return Response(status, (body + "\n").encode(), [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")])


def not_found() -> Response:
    return error("404 page not found", 404)


def redirect(location: str, status: int, request: Request) -> Response:
    """Go's http.Redirect."""
    response = Response(status, b"", [("Location", location)])
    if request.method in ("GET", "HEAD"):
        response.headers.insert(0, ("Content-Type", "text/html; charset=utf-8"))
        shown = location.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#39;")
        response.body = f'<a href="{shown}">{STATUS.get(status, "")}</a>.\n\n'.encode() if request.method == "GET" else b""
    return response


def sniffed(body: bytes) -> str:
    """Go's http.DetectContentType, for what servers here send."""
    start = body[:512].lstrip(b"\t\n\x0c\r ")
    if any(
        start[: len(tag)].upper() == tag
        for tag in (b"<!DOCTYPE HTML", b"<HTML", b"<HEAD", b"<BODY", b"<H1", b"<A ", b"<TITLE", b"<P>", b"<DIV")
    ):
        return "text/html; charset=utf-8"
    if start.startswith(b"<?xml"):
        return "text/xml; charset=utf-8"
    for magic, kind in (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"\x1f\x8b\x08", "application/x-gzip"),
    ):
        if body.startswith(magic):
            return kind
    if any(byte < 9 or 14 <= byte < 27 or 28 <= byte < 32 or byte == 11 for byte in body[:512]):
        return "application/octet-stream"
    return "text/plain; charset=utf-8"


def encode_response(response: Response, request: Request, now: datetime) -> bytes:
    headers = list(response.headers)
    bodiless = response.status in (204, 304) or response.status < 200
    if not value_of(headers, "Content-Type") and response.body and not bodiless:
        headers.append(("Content-Type", sniffed(response.body)))
    if not value_of(headers, "Date"):
        headers.append(("Date", f"{now:%a, %d %b %Y %H:%M:%S} GMT"))
    if not bodiless and not value_of(headers, "Content-Length"):
        headers.append(("Content-Length", str(len(response.body))))
    if (response.close or not request.keeps_alive) and not value_of(headers, "Connection"):
        headers.append(("Connection", "close"))
    head = f"HTTP/1.1 {response.status} {STATUS.get(response.status, 'status code ' + str(response.status))}\r\n"
    head += "".join(f"{name}: {_safe(value)}\r\n" for name, value in sorted(headers))
    return head.encode("utf-8", "replace") + b"\r\n" + (b"" if bodiless or request.method == "HEAD" else response.body)


def encode_request(request: Request) -> bytes:
    head = f"{request.method} {_safe(request.target)} {request.version}\r\n"
    head += "".join(f"{name}: {_safe(value)}\r\n" for name, value in request.headers)
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + request.body


def _safe(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")


class Buffer:
    """Bytes that come in pieces. `ended`: no more will."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False

    def feed(self, data: bytes) -> None:
        self.data += data

    def take(self, count: int) -> bytes:
        taken = bytes(self.data[:count])
        del self.data[:count]
        return taken


Parsing = Generator[None, None, "Request | None"]


def _head(buffer: Buffer) -> Generator[None, None, tuple[str, Headers] | None]:
    """(the first line, the headers); None where the connection ended before."""
    while True:
        while buffer.data[:2] == b"\r\n":
            buffer.take(2)
        if buffer.data[:1] == b"\x16":  # a TLS client's hello
            raise BadMessage("malformed HTTP request")
        end = buffer.data.find(b"\r\n\r\n")
        short = buffer.data.find(b"\n\n")
        if end >= 0 or short >= 0:
            break
        if len(buffer.data) > HEADER_BYTES:
            raise BadMessage("headers that long")
        if buffer.ended:
            if buffer.data:
                raise BadMessage("unexpected end of the headers")
            return None
        yield
    bare = end < 0 or 0 <= short < end
    raw = buffer.take((short + 2) if bare else (end + 4)).decode("utf-8", "surrogateescape")
    lines = raw.replace("\r\n", "\n").strip("\n").split("\n")
    headers: Headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadMessage("a malformed header")
        headers.append((name, value.strip()))
    return lines[0], headers


def _body(buffer: Buffer, headers: Headers, *, until_end: bool) -> Generator[None, None, bytes]:
    if "chunked" in value_of(headers, "Transfer-Encoding").lower():
        return (yield from _chunks(buffer))
    length = value_of(headers, "Content-Length")
    if length:
        if not length.isascii() or not length.isdigit() or int(length) > BODY_BYTES:
            raise BadMessage("a body of that length")
        while len(buffer.data) < int(length):
            if buffer.ended:
                raise BadMessage("unexpected end of the body")
            yield
        return buffer.take(int(length))
    if not until_end:
        return b""
    while not buffer.ended:
        if len(buffer.data) > BODY_BYTES:
            raise BadMessage("a body of that length")
        yield
    return buffer.take(len(buffer.data))


def _chunks(buffer: Buffer) -> Generator[None, None, bytes]:
    made = b""
    while True:
        while (end := buffer.data.find(b"\r\n")) < 0:
            if buffer.ended or len(buffer.data) > HEADER_BYTES:
                raise BadMessage("a malformed chunk")
            yield
        size_text = buffer.take(end + 2)[:-2].partition(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError:
            raise BadMessage("a malformed chunk") from None
        if size < 0 or len(made) + size > BODY_BYTES:
            raise BadMessage("a body of that length")
        while len(buffer.data) < size + 2:
            if buffer.ended:
                raise BadMessage("unexpected end of the body")
            yield
        made += buffer.take(size)
        buffer.take(2)
        if not size:
            return made


def read_request(buffer: Buffer, peer: str = "") -> Generator[None, None, Request | None]:
    """Yields while it wants more. None at the end of the connection. Raises BadMessage."""
    head = yield from _head(buffer)
    if head is None:
        return None
    words = head[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[0].isalpha():
        raise BadMessage("malformed HTTP request")
    body = yield from _body(buffer, head[1], until_end=False)
    return Request(words[0], words[1], words[2], head[1], body, peer)


def read_response(buffer: Buffer, method: str) -> Generator[None, None, Response]:
    """Yields while it wants more. Raises BadMessage."""
    while True:
        head = yield from _head(buffer)
        if head is None:
            raise BadMessage("EOF")
        words = head[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit() or len(words[1]) != 3:
            raise BadMessage(f"malformed HTTP response {head[0][:100]!r}")
        status = int(words[1])
        if status >= 200 or status == 101:
            break
    bodiless = method == "HEAD" or status in (204, 304)
    body = b"" if bodiless else (yield from _body(buffer, head[1], until_end=True))
    return Response(status, body, head[1])
