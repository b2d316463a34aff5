"""HTTP in and out: aiohttp's requests into ours, our answers onto its connections. aiohttp is imported when the port opens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never, cast
from urllib.parse import parse_qsl, urlsplit

from kctl.apimachinery import times
from kctl.apimachinery.status import ApiError, BadRequest, InternalError, RequestEntityTooLarge, Timeout, TooManyRequests
from kctl.apimachinery.user import User
from kctl.client.transport import RawResponse
from kctl.kube_apiserver import answer_encoding, list_encoding, media_types, warning_headers
from kctl.kube_apiserver.answer_encoding import CACHE_CONTROL
from kctl.kube_apiserver.caller import LARGE
from kctl.kube_apiserver.request import Request, Unread, WireRequest
from kctl.kube_apiserver.request_info import resolve
from kctl.kube_apiserver.response import (
    ListAnswer,
    ObjectAnswer,
    PassedAnswer,
    RawAnswer,
    Response,
    TextAnswer,
    UpgradeAnswer,
    WatchAnswer,
    failure,
)
from kctl.kube_apiserver.serving import Serving
from kctl.kube_apiserver.watch_http import watch_lines

if TYPE_CHECKING:
    import ssl

    from aiohttp import web
    from multidict import CIMultiDict

    from kctl.kube_apiserver.acceptor import Acceptor
    from kctl.kube_apiserver.http_protocol import Protocol

_LOG = logging.getLogger(__name__)
_PROTOCOLS = frozenset({"x-stream-protocol-version", "sec-websocket-protocol"})
_PATIENCE = 100
"""Hundredths of a second that a stopping server waits for what it has begun."""
_MOST_PARAMETERS = 10_000
"""As Go's net/url, which then takes none of them."""
_PARSED = 10
"""What a body is parsed to takes about so many times its length."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODY_SECONDS = 60.0
"""For a body to arrive: upstream's --request-timeout."""


def wire_request(method: str, target: str, headers: Mapping[str, str]) -> WireRequest:
    """`target` as on the request line; header names in lower case."""
    parts = urlsplit(target) if not target.startswith("//") else urlsplit("http://x" + target)
    wire = WireRequest(method, parts.path, {}, headers)
    query: dict[str, str] = {}
    try:
        for key, value in parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS):
            query.setdefault(key, value)
    except ValueError:
        wire.error = BadRequest(f"more than {_MOST_PARAMETERS} query parameters")
    wire.query = query
    wire.raw_query = parts.query
    return wire


def _headers(incoming: Mapping[str, str]) -> dict[str, str]:
    """Names in lower case. Of a header given several times the first counts; all of Impersonate-*, joined by newlines, and of those
    that list protocols, joined by commas."""
    headers: dict[str, str] = {}
    for key, value in incoming.items():
        key = key.lower()
        if key.startswith("impersonate-") and key in headers:
            headers[key] += f"\n{value}"
        elif key in _PROTOCOLS and key in headers:
            headers[key] += f",{value}"
        else:
            headers.setdefault(key, value)
    return headers


def _with_warnings(headers: Mapping[str, str], request: Request) -> CIMultiDict[str]:
    """And with the id by which the audit log knows the request."""
    from multidict import CIMultiDict

    all_headers = CIMultiDict(headers)
    if request.audit is not None:
        all_headers["Audit-Id"] = request.audit.identifier
    for warning in warning_headers.headers(request.warnings):
        all_headers.add("Warning", warning)
    return all_headers


async def in_process(
    server: Serving,
    method: str,
    path: str,
    query: Mapping[str, str],
    body: bytes | None,
    headers: Mapping[str, str],
    user: User,
) -> RawResponse:
    """A whole HTTP exchange without a socket; streams are read to their end."""
    lowered = {key.lower(): value for key, value in headers.items()}
    wire = wire_request(method, path, lowered)
    wire.query = {**wire.query, **query}
    wire.raw_body, wire.user = body or b"", user
    request = resolve(wire, server.registry)
    try:
        answer = await server.handle(request)
        match answer:
            case WatchAnswer() | TextAnswer():
                chunks = [chunk async for chunk in _chunks(server, request, answer)]
                return RawResponse(answer.status, {"Content-Type": "application/json"}, b"".join(chunks))
            case PassedAnswer():
                whole = [chunk async for chunk in answer.chunks]
                return RawResponse(answer.status, dict(answer.headers), b"".join(whole))
            case ObjectAnswer() | ListAnswer() | RawAnswer():
                return RawResponse(*answer_encoding.encode(request, answer, server.now()))
            case UpgradeAnswer():
                refused = failure(BadRequest("there is no connection here that could be upgraded"))
                return RawResponse(*answer_encoding.encode(request, refused, server.now()))
        assert_never(answer)
    finally:
        request.answered()


def _chunks(server: Serving, request: Request, answer: WatchAnswer | TextAnswer | PassedAnswer) -> AsyncIterator[bytes]:
    match answer:
        case TextAnswer() | PassedAnswer():
            return answer.chunks
        case WatchAnswer():
            return watch_lines(server, request, answer.stream)
    assert_never(answer)


def unread_body(incoming: web.BaseRequest) -> Unread:
    """For a request that is passed on."""
    body = _arriving(incoming) if incoming.body_exists else None
    return Unread(tuple(incoming.headers.items()), body, incoming.content_length)


async def _arriving(incoming: web.BaseRequest) -> AsyncIterator[bytes]:
    """A client that waits for it is told to go on."""
    if incoming.headers.get("Expect") and incoming.version >= (1, 1):
        await incoming.writer.write(_CONTINUE)
        incoming.writer.output_size = 0  # the answer has not begun
    async for chunk in incoming.content.iter_any():
        yield chunk


class Listener:
    """The port. `stop` refuses new connections, ends the streams and waits a moment for what still runs."""

    def __init__(self, server: Serving) -> None:
        self._server = server
        self._web: Any = None
        self._acceptor: Acceptor | None = None
        self._streams: set[asyncio.Task[Any]] = set()
        self._running = 0
        self._upgraded = 0

    async def start(self, host: str, port: int, ssl_context: ssl.SSLContext | None) -> int:
        from kctl.kube_apiserver.acceptor import Acceptor
        from kctl.kube_apiserver.http_protocol import Server
        from kctl.kube_apiserver.list_http import ListSender

        self._lists = ListSender()
        self._web = web_server = Server(self._handle)
        self._acceptor = Acceptor(web_server, ssl_context, lambda: web_server.open)
        self._server.bound_port = port = await self._acceptor.listen(host, port)
        web_server.memory.start()
        return port

    async def stop(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        for task in tuple(self._streams):
            task.cancel()
        for _ in range(_PATIENCE):
            if not self._running:
                break
            await asyncio.sleep(0.01)
        if self._web is not None:
            self._web.memory.stop()
            await self._web.shutdown(0.01)  # 0 would mean no limit

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        expected = incoming.headers.get("Expect")
        if expected and expected.lower() != "100-continue":
            refused = web.Response(status=417)  # Go's answer, before any handler
            refused.force_close()
            return refused
        if incoming.method == "OPTIONS" and incoming.raw_path == "*":
            return web.Response()  # Go's answer, before any handler
        headers = _headers(incoming.headers)
        if len(incoming.raw_path) < LARGE:
            wire = wire_request(incoming.method, incoming.raw_path, headers)
        else:
            wire = await asyncio.to_thread(wire_request, incoming.method, incoming.raw_path, headers)
        tls = incoming.transport.get_extra_info("ssl_object") if incoming.transport else None
        wire.source = incoming.remote or ""
        wire.client_certificate = tls.getpeercert() if tls is not None else None
        request = resolve(wire, self._server.registry)
        return await self._server.stalls.timed(request, self._answer(incoming, wire, request))

    async def _answer(self, incoming: web.BaseRequest, wire: WireRequest, request: Request) -> web.StreamResponse:
        if request.is_passed_on:
            wire.unread = unread_body(incoming)
        elif incoming.body_exists:
            wire.arriving = partial(self._read, incoming)
        try:
            self._running += 1
            try:
                answer = await self._handled(incoming, request)
            finally:
                self._running -= 1
            return await self._send(incoming, request, answer)
        except Exception as error:
            _LOG.exception("answering %s %s", request.method, request.path)
            return await self._send(incoming, request, failure(InternalError(f"cannot answer: {type(error).__name__}")))
        finally:
            request.answered()
            if len(wire.raw_body) >= LARGE and self._web is not None:
                self._web.memory.freed(len(wire.raw_body) * _PARSED, cycles=False)

    async def _handled(self, incoming: web.BaseRequest, request: Request) -> Response:
        """Of what another server answers nobody waits longer than the client does."""
        if not request.is_passed_on:
            return await self._server.handle(request)
        task, protocol = asyncio.current_task(), cast("Protocol", incoming.protocol)
        assert task is not None
        self._streams.add(task)
        protocol.streaming = task
        try:
            return await self._server.handle(request)
        finally:
            self._streams.discard(task)
            protocol.streaming = None

    async def _send(self, incoming: web.BaseRequest, request: Request, answer: Response) -> web.StreamResponse:
        match answer:
            case WatchAnswer() | TextAnswer() | PassedAnswer():
                return await self._stream(incoming, request, answer)
            case ListAnswer():
                try:
                    return await self._send_list(incoming, request, answer)
                except ApiError as error:
                    return self._whole(incoming, request, failure(error))
            case ObjectAnswer() if "yaml" in request.accept:
                return await asyncio.to_thread(self._whole, incoming, request, answer)
            case ObjectAnswer() | RawAnswer():
                return self._whole(incoming, request, answer)
            case UpgradeAnswer():
                return await self._upgrade(incoming, request, answer)
        assert_never(answer)

    async def _upgrade(self, incoming: web.BaseRequest, request: Request, answer: UpgradeAnswer) -> web.StreamResponse:
        from kctl.kube_apiserver import upgrade_http
        from kctl.kube_apiserver.streaming.connection import MOST_CONNECTIONS

        if self._upgraded >= MOST_CONNECTIONS:
            return self._whole(incoming, request, failure(TooManyRequests("too many connections are upgraded already")))
        self._upgraded += 1
        try:
            return await upgrade_http.upgrade(incoming, answer, answer.headers, self._server.clock.machine, self._streams)
        finally:
            self._upgraded -= 1

    def _whole(self, incoming: web.BaseRequest, request: Request, answer: ObjectAnswer | RawAnswer) -> web.StreamResponse:
        from aiohttp import web

        status, answered, body = answer_encoding.encode(request, answer, self._server.now())
        if incoming.method == "HEAD":
            body = b""
        headers = _with_warnings(answered, request) if request.warnings or request.audit is not None else answered
        response = web.Response(status=status, headers=headers, body=body)
        self._date(response.headers)
        if request.wire is not None and request.wire.arriving is not None and "expect" in request.headers:
            response.force_close()  # whether the body comes, nobody can know
        return response

    async def _send_list(self, incoming: web.BaseRequest, request: Request, answer: ListAnswer) -> web.StreamResponse:
        from kctl.kube_apiserver.list_http import accepts_gzip

        media = answer_encoding.media(request)
        chunks = list_encoding.chunks(answer_encoding.pieces(request, answer, media, self._server.now()))
        headers = _with_warnings({"Cache-Control": CACHE_CONTROL, "Content-Type": media.name}, request)
        self._date(headers)
        gzip = self._server.config.response_compression and accepts_gzip(request.headers)
        return await self._lists.send(incoming, answer.status, headers, chunks, gzip, slow=media.name == media_types.YAML)

    def _date(self, headers: CIMultiDict[str]) -> None:
        """An answer tells the cluster's time, so that who shows ages can reckon with it; where that is the machine's, aiohttp says it."""
        clock = self._server.clock
        if clock.is_steered:
            headers["Date"] = times.http_date(clock.now())

    async def _read(self, incoming: web.BaseRequest) -> bytes:
        """A client that waits for it is told to go on. Raises BadRequest for what does not come as announced."""
        from aiohttp import web
        from aiohttp.http_exceptions import HttpProcessingError

        limit = self._server.config.max_request_bytes
        too_large = f"Request entity too large: limit is {limit}"
        if (incoming.content_length or 0) > limit:
            raise RequestEntityTooLarge(too_large)
        if incoming.headers.get("Expect") and incoming.version >= (1, 1):
            await incoming.writer.write(_CONTINUE)
            incoming.writer.output_size = 0  # the answer has not begun
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in incoming.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        raise RequestEntityTooLarge(too_large)
        except TimeoutError:
            raise Timeout("Timeout: request did not complete within the allotted timeout") from None
        except (ConnectionError, web.RequestPayloadError, HttpProcessingError):
            raise BadRequest("unexpected EOF") from None  # told to nobody where the client is gone
        return bytes(body)

    async def _stream(
        self, incoming: web.BaseRequest, request: Request, answer: WatchAnswer | TextAnswer | PassedAnswer
    ) -> web.StreamResponse:
        from aiohttp import web

        stream = answer.stream if isinstance(answer, WatchAnswer) else None
        passed = isinstance(answer, PassedAnswer)
        if isinstance(answer, PassedAnswer):
            headers = _with_warnings({"Cache-Control": CACHE_CONTROL}, request)
            headers.extend(answer.headers)
        else:
            kind = answer.content_type if isinstance(answer, TextAnswer) else answer_encoding.media(request).name
            headers = _with_warnings({"Cache-Control": CACHE_CONTROL, "Content-Type": kind}, request)
        self._date(headers)
        outgoing = web.StreamResponse(status=answer.status, headers=headers)
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        protocol = cast("Protocol", incoming.protocol)
        protocol.streaming = task
        if stream is not None:
            stream.on_cut(protocol.abort)
        chunks = _chunks(self._server, request, answer)
        try:
            if incoming.version >= (1, 1) and not passed:
                outgoing.enable_chunked_encoding()
            await outgoing.prepare(incoming)
            async for chunk in chunks:
                await outgoing.write(chunk)
            await outgoing.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            if stream is not None:
                stream.close()
        except Exception:
            # the answer has begun: only a broken connection can tell that it is not whole
            _LOG.exception("streaming %s %s", request.method, request.path)
            if incoming.transport is not None:
                incoming.transport.abort()
        finally:
            self._streams.discard(task)
            protocol.streaming = None
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        return outgoing
