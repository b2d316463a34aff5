"""A request passed on to a server somewhere else and its answer passed back, both as they come (upstream's UpgradeAwareHandler with its
transports): what pods/proxy and services/proxy do, and the aggregator.

Nothing is kept in memory but pages whose links are rewritten. Upgraded connections are two copies of bytes.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

from kctl.apimachinery.clock import Clock, timeout
from kctl.apimachinery.status import ApiError, ServiceUnavailable
from kctl.client.connection_errors import describe
from kctl.client.http_messages import Head, ProtocolError
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import PassedAnswer, RawAnswer, Response, UpgradeAnswer
from kctl.kube_apiserver.streaming import html_links
from kctl.kube_apiserver.streaming.connection import Connection
from kctl.kube_apiserver.streaming.dialing import DIAL_SECONDS, DialedConnection
from kctl.kube_apiserver.streaming.http_exchange import Exchange, Headers, end_to_end
from kctl.kube_apiserver.streaming.tls import HANDSHAKE_SECONDS, secured

_LOG = logging.getLogger(__name__)
_READ_BYTES = 64 * 1024
_IN_PATHS = "/:@&=+$,;~"
"""What Go leaves in a path besides letters and digits."""
_NOT_PASSED = frozenset({"host", "content-length", "authorization", "expect"})
_CORS = frozenset(f"access-control-allow-{name}" for name in ("credentials", "headers", "methods", "origin"))


class Dial(Protocol):
    async def __call__(self) -> DialedConnection:
        """Raises OSError."""
        ...


@dataclass(slots=True)
class Target:
    """Where a request goes. `path` is not escaped, and begins without a slash where the request's did; `tls` None for http."""

    host: str
    port: int
    path: str
    dial: Dial
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    prefix: str | None = None
    """The path this server has the other one under: links and redirects are made to lead there. None for what knows where it is."""
    headers: Sequence[tuple[str, str]] = ()
    """More, which the client cannot give."""
    dropped: tuple[str, ...] = ()
    """How the headers begin that the client cannot give, in lower case."""
    keeps_cors: bool = False
    host_header: str = ""
    """'' passes on the client's."""
    is_escaped: bool = False
    """`path` is, as the client has sent it."""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def line(self, query: str) -> str:
        """As it stands on the request line."""
        path = self.path if self.is_escaped else quote(self.path, safe=_IN_PATHS)
        return (path if path.startswith("/") else f"/{path}") + (f"?{query}" if query else "")


async def pass_on(request: Request, target: Target, clock: Clock) -> Response:
    """Raises ApiError where nobody answers."""
    upgrades = wants_upgrade(request)
    exchange: Exchange | None = None
    try:
        exchange = Exchange(await _connect(target, clock))
        head = await _ask(exchange, request, target, upgrades=upgrades)
    except (OSError, EOFError, ProtocolError) as error:
        if exchange is not None:
            exchange.close()
        raise _unreachable(error, target, upgrades=upgrades) from None
    except BaseException:
        if exchange is not None:
            exchange.close()
        raise
    if not upgrades:
        return await _answer(exchange, head, request, target)
    if head.status == 101:
        return _upgrade(exchange, head)
    if head.status < 400:
        exchange.close()
        raise ApiError(f"invalid upgrade response: status code {head.status}", code=500, reason="")
    return PassedAnswer(head.status, _text_headers(head), exchange.chunks())


def wants_upgrade(request: Request) -> bool:
    return "upgrade" in request.headers.get("connection", "").lower()


def redirect_to_root(request: Request, location_path: str) -> Response | None:
    """Of a browser that asks for the root without its slash: relative links would lead elsewhere. None where none is needed."""
    if location_path or request.method not in ("GET", "HEAD") or request.wire is None:
        return None
    query = request.wire.raw_query
    return RawAnswer(b"", "", HTTPStatus.MOVED_PERMANENTLY, {"Location": f"{request.path}/{'?' + query if query else ''}"})


async def _connect(target: Target, clock: Clock) -> DialedConnection:
    try:
        async with timeout(clock, DIAL_SECONDS):
            connection = await target.dial()
    except TimeoutError:
        raise OSError("i/o timeout") from None
    if target.tls is None:
        return connection
    try:
        async with timeout(clock, HANDSHAKE_SECONDS):
            return await secured(connection, target.tls, target.server_name)
    except TimeoutError:
        raise ProtocolError("net/http: TLS handshake timeout") from None


async def _ask(exchange: Exchange, request: Request, target: Target, *, upgrades: bool) -> Head:
    wire = request.wire
    assert wire is not None
    unread = wire.unread
    given = unread.headers if unread is not None else tuple(wire.headers.items())
    refused = ("impersonate-", *target.dropped)
    kept: Headers = [(key, value) for key, value in given if key.lower() not in _NOT_PASSED and not key.lower().startswith(refused)]
    passed = kept if upgrades else end_to_end(kept)
    if not upgrades and "trailers" in wire.headers.get("te", ""):
        passed.append(("Te", "trailers"))
    headers: Headers = [("Host", target.host_header or wire.headers.get("host") or target.authority)]
    headers += _forwarded(passed, wire.source, target)
    headers += target.headers
    body, length = (unread.body, unread.length) if unread is not None else (_once(wire.raw_body), len(wire.raw_body))
    if body is None or (length == 0 and request.method in ("GET", "HEAD")):
        if request.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", "0"))
        body = None
    return await exchange.ask(request.method, target.line(wire.raw_query), headers, body, length)


def _forwarded(headers: Headers, source: str, target: Target) -> Headers:
    """With what tells the other server who asked, and for which address."""
    before = [value for key, value in headers if key.lower() == "x-forwarded-for"]
    own = {"x-forwarded-for", *(("x-forwarded-uri",) if target.prefix is not None else ())}
    kept = [(key, value) for key, value in headers if key.lower() not in own]
    chain = ", ".join([*before, source] if source else before)
    if chain:
        kept.append(("X-Forwarded-For", chain))
    if target.prefix is not None:
        uri = joined(target.prefix, target.path) + ("/" if target.path.endswith("/") else "")
        kept.append(("X-Forwarded-Uri", quote(uri, safe=_IN_PATHS)))
    return kept


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _unreachable(error: Exception, target: Target, *, upgrades: bool) -> ApiError:
    plain = type(error) in (OSError, ProtocolError) and not getattr(error, "errno", None)
    why = str(error) if plain else describe(error, target.host, target.port)
    if why == "i/o timeout":
        why = f"dial tcp {target.authority}: i/o timeout"
    if upgrades:
        return ApiError(f"error dialing backend: {why}", code=500, reason="")
    return ServiceUnavailable(f"error trying to reach service: {why}")


# ---- the answer


def _text_headers(head: Head) -> Headers:
    return end_to_end((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)


async def _answer(exchange: Exchange, head: Head, request: Request, target: Target) -> Response:
    headers = _text_headers(head)
    if not target.keeps_cors:
        headers = [(key, value) for key, value in headers if key not in _CORS]
    if target.prefix is None:
        return PassedAnswer(head.status, headers, exchange.chunks())
    links = _Links(target.prefix, target.authority, request.headers.get("host", ""))
    redirect = head.get(b"location").decode("latin-1")
    if redirect:
        headers = [(key, links.rewritten(value) if key == "location" else value) for key, value in headers]
    elif head.get(b"content-type").partition(b";")[0].strip() == b"text/html" and request.method != "HEAD":
        return await _page(exchange, head, headers, links.rewritten)
    return PassedAnswer(head.status, headers, exchange.chunks())


async def _page(exchange: Exchange, head: Head, headers: Headers, rewrite: html_links.Rewrite) -> Response:
    encoding = head.get(b"content-encoding").decode("latin-1")
    body = bytearray()
    chunks = exchange.chunks()
    try:
        async for chunk in chunks:
            body += chunk
            if len(body) > html_links.LARGEST_PAGE:
                _LOG.warning("a page of more than %d bytes passes with the links it has", html_links.LARGEST_PAGE)
                return PassedAnswer(head.status, headers, _with_rest(bytes(body), chunks))
        page = await asyncio.to_thread(html_links.rewrite_body, bytes(body), encoding, rewrite)
    except (OSError, EOFError, ProtocolError, html_links.CannotRead) as error:
        exchange.close()
        raise ApiError(str(error) or "unexpected EOF", code=500, reason="") from None
    if page is None:
        _LOG.error("cannot read the Content-Encoding %r of a page: its links stay as they are", encoding)
        page = bytes(body)
    kept = [(key, value) for key, value in headers if key != "content-length"]
    return PassedAnswer(head.status, [*kept, ("content-length", str(len(page)))], _once(page))


async def _with_rest(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


class _Links:
    """`host`: of the server that the page came from; `asked`: the Host the client asked for."""

    def __init__(self, prefix: str, host: str, asked: str) -> None:
        self._prefix = prefix
        self._hosts = ("", host, asked)

    def rewritten(self, link: str) -> str:
        """The same where it leads elsewhere, is relative, or cannot be read."""
        try:
            parts = urlsplit(link)
        except ValueError:
            return link
        if parts.netloc not in self._hosts or not parts.path.startswith("/"):
            return link
        if parts.netloc != self._hosts[2] or not parts.netloc:
            parts = parts._replace(scheme="", netloc="")
        path = unquote(parts.path)
        if not path.startswith(self._prefix):
            slash = "/" if path.endswith("/") else ""
            parts = parts._replace(path=quote(joined(self._prefix, path) + slash, safe=_IN_PATHS))
        return parts.geturl()


def joined(first: str, second: str) -> str:
    """Go's path.Join: one path, made shorter wherever it can be, without a slash at its end."""
    kept: list[str] = []
    text = "/".join(part for part in (first, second) if part)
    for part in text.split("/"):
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif (part == ".." and not text.startswith("/")) or part not in ("", ".", ".."):
            kept.append(part)
    path = "/".join(kept)
    return f"/{path}" if text.startswith("/") else path or ("." if text else "")


# ---- upgrades


def _upgrade(exchange: Exchange, head: Head) -> UpgradeAnswer:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
    connection = exchange.raw

    async def serve(client: Connection) -> None:
        try:
            if early := exchange.early():
                await client.send(early)
            await _both_ways(client, connection)
        finally:
            exchange.close()

    kept = {key: value for key, value in headers if key not in ("connection", "upgrade")}
    return UpgradeAnswer(head.get(b"upgrade").decode("latin-1"), serve, headers=kept, raw=True)


async def _both_ways(client: Connection, connection: DialedConnection) -> None:
    """Until either side is done."""

    async def there() -> None:
        while data := await client.receive():
            await connection.write(data)

    async def back() -> None:
        while data := await connection.read(_READ_BYTES):
            await client.send(data)

    await _first(there, back)


async def _first(*directions: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()

    async def quietly(direction: Callable[[], Awaitable[None]]) -> None:
        try:
            await direction()
        except OSError:
            return

    tasks = [loop.create_task(quietly(direction)) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
