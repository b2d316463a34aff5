"""HTTP in and out: aiohttp's requests into ours, our answers into bytes and streams. aiohttp is imported when the port opens.

Bodies stay encoded as far as they can: a GET or LIST of the stored version writes the cache's own JSON.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

import orjson

from kctl.apimachinery.status import ApiError, InternalError, RequestEntityTooLarge, Timeout
from kctl.apimachinery.user import User
from kctl.client.transport import RawResponse
from kctl.kube_apiserver import list_encoding, media_types, representation, warning_headers
from kctl.kube_apiserver.filters.panic_recovery import failure
from kctl.kube_apiserver.media_types import MediaType
from kctl.kube_apiserver.request import ListAnswer, Request, Response
from kctl.kube_apiserver.serving import Serving
from kctl.kube_apiserver.watch_http import watch_lines

if TYPE_CHECKING:
    import ssl

    from aiohttp import web
    from multidict import CIMultiDict

    from kctl.kube_apiserver.acceptor import Acceptor
    from kctl.kube_apiserver.http_protocol import Protocol

_LOG = logging.getLogger(__name__)
_HUMANS = ("curl/", "wget/", "mozilla/")
_PATIENCE = 100
"""Hundredths of a second that a stopping server waits for what it has begun."""
_BODY_SECONDS = 60.0
"""For a body to arrive: upstream's --request-timeout."""
_CACHE = "no-cache, private"


def make_request(method: str, target: str, headers: Mapping[str, str], body: bytes | None, user: User | None = None) -> Request:
    """`target` as on the request line; header names in lower case."""
    parts = urlsplit(target) if not target.startswith("//") else urlsplit("http://x" + target)
    query: dict[str, str] = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(key, value)
    request = Request(
        method=method,
        path=parts.path,
        headers=headers,
        raw_body=body if body is not None else b"",
        query=query,
        content_type=headers.get("content-type", ""),
        accept=headers.get("accept", ""),
        program=headers.get("user-agent", ""),
    )
    if user is not None:
        request.user = user
    return request


def _headers(incoming: Mapping[str, str]) -> dict[str, str]:
    """Names in lower case. Of a header given several times the first counts; all of Impersonate-*, joined by newlines."""
    headers: dict[str, str] = {}
    for key, value in incoming.items():
        key = key.lower()
        if key.startswith("impersonate-") and key in headers:
            headers[key] += f"\n{value}"
        else:
            headers.setdefault(key, value)
    return headers


def _media(request: Request) -> MediaType:
    try:
        return media_types.negotiate(request.accept, request.resource is not None and not request.name)
    except ApiError:
        return media_types.DEFAULT


def encode(server: Serving, request: Request, response: Response) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer that is not a stream."""
    headers = {"Cache-Control": _CACHE, **response.headers}
    if response.raw is not None:
        if headers.get("ETag", "") == request.headers.get("if-none-match"):
            return 304, headers, b""
        if response.content_type:
            headers["Content-Type"] = response.content_type
        return response.status, headers, response.raw
    media = _media(request)
    try:
        body = _body(server, request, response, media)
    except ApiError as error:
        response = failure(error)
        media = MediaType(media.name)
        body = _dump(media, error.status, request)
    headers["Content-Type"] = media.name
    return response.status, headers, body


def _body(server: Serving, request: Request, response: Response, media: MediaType) -> bytes:
    if response.status >= 400 or response.endpoint is None:
        return _dump(media, response.object or {}, request)
    if response.listing is not None:
        return b"".join(_pieces(server, request, response.listing, media))
    plain = media.target == "" and media.name == media_types.JSON and not _pretty(request)
    if plain and response.entry is not None and not response.endpoint.converts:
        return response.entry.encoded(response.endpoint.type_prefix) + b"\n"
    return _dump(media, representation.shown(media, request, response, server.now()), request)


def _pieces(server: Serving, request: Request, listing: ListAnswer, media: MediaType) -> Iterator[bytes]:
    return list_encoding.pieces(media, request, listing, server.now(), _pretty(request))


def _dump(media: MediaType, value: Any, request: Request) -> bytes:
    if isinstance(value, dict) and "items" in value and value.get("kind", "").endswith("List") and value["items"]:
        kind = value["kind"].removesuffix("List")
        value = {
            **value,
            "items": [
                _without_type(item) if item.get("kind") == kind and kind != "PartialObjectMetadata" else item for item in value["items"]
            ],
        }
    if media.name == media_types.YAML:
        from kctl.apimachinery import yaml

        return yaml.dump(value).encode()
    if _pretty(request):
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _without_type(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "kind" and key != "apiVersion"}


def _pretty(request: Request) -> bool:
    wanted = request.query.get("pretty")
    if wanted is not None:
        return wanted.lower() not in ("false", "0")
    return request.headers.get("user-agent", "").lower().startswith(_HUMANS)


def _with_warnings(headers: Mapping[str, str], request: Request) -> CIMultiDict[str]:
    from multidict import CIMultiDict

    found = CIMultiDict(headers)
    for warning in warning_headers.headers(request.warnings):
        found.add("Warning", warning)
    return found


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
    request = make_request(method, path, lowered, body, user)
    request.query = {**request.query, **query}
    try:
        response = await server.handle(request)
        if response.stream is not None or response.text is not None:
            chunks = [chunk async for chunk in _chunks(server, request, response)]
            return RawResponse(response.status, {"Content-Type": "application/json"}, b"".join(chunks))
        status, answered, content = encode(server, request, response)
        return RawResponse(status, answered, content)
    finally:
        request.answered()


def _chunks(server: Serving, request: Request, response: Response) -> AsyncIterator[bytes]:
    if response.text is not None:
        return response.text
    assert response.stream is not None
    return watch_lines(server, request, response.stream)


class Listener:
    """The port. `stop` refuses new connections, ends the streams and waits a moment for what still runs."""

    def __init__(self, server: Serving) -> None:
        self._server = server
        self._web: Any = None
        self._acceptor: Acceptor | None = None
        self._streams: set[asyncio.Task[Any]] = set()
        self._running = 0

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

        if incoming.method == "OPTIONS" and incoming.raw_path == "*":
            return web.Response()  # Go's answer, before any handler
        headers = _headers(incoming.headers)
        request = make_request(incoming.method, incoming.raw_path, headers, None)
        tls = incoming.transport.get_extra_info("ssl_object") if incoming.transport else None
        request.client_certificate = tls.getpeercert() if tls is not None else None
        return await self._server.stalls.timed(request, self._answer(incoming, request))

    async def _answer(self, incoming: web.BaseRequest, request: Request) -> web.StreamResponse:
        try:
            request.raw_body = await self._read(incoming)
        except (RequestEntityTooLarge, Timeout) as error:
            return await self._send(incoming, request, failure(error))
        try:
            self._running += 1
            try:
                response = await self._server.handle(request)
            finally:
                self._running -= 1
            return await self._send(incoming, request, response)
        except Exception as error:
            _LOG.exception("answering %s %s", request.method, request.path)
            return await self._send(incoming, request, failure(InternalError(f"cannot answer: {type(error).__name__}")))
        finally:
            request.answered()

    async def _send(self, incoming: web.BaseRequest, request: Request, response: Response) -> web.StreamResponse:
        from aiohttp import web

        if response.stream is not None or response.text is not None:
            return await self._stream(incoming, request, response)
        if response.listing is not None:
            try:
                return await self._send_list(incoming, request, response, response.listing)
            except ApiError as error:
                response = failure(error)
        status, answered, body = encode(self._server, request, response)
        if incoming.method == "HEAD":
            body = b""
        return web.Response(status=status, headers=_with_warnings(answered, request), body=body)

    async def _send_list(self, incoming: web.BaseRequest, request: Request, response: Response, listing: ListAnswer) -> web.StreamResponse:
        from kctl.kube_apiserver.list_http import accepts_gzip

        media = _media(request)
        chunks = list_encoding.chunks(_pieces(self._server, request, listing, media))
        headers = _with_warnings({"Cache-Control": _CACHE, **response.headers, "Content-Type": media.name}, request)
        gzip = self._server.config.response_compression and accepts_gzip(request.headers)
        return await self._lists.send(incoming, response.status, headers, chunks, gzip)

    async def _read(self, incoming: web.BaseRequest) -> bytes:
        limit = self._server.config.max_request_bytes
        too_large = f"Request entity too large: limit is {limit}"
        if (incoming.content_length or 0) > limit:
            raise RequestEntityTooLarge(too_large)
        if not incoming.body_exists:
            return b""
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in incoming.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        raise RequestEntityTooLarge(too_large)
        except TimeoutError:
            raise Timeout("Timeout: request did not complete within the allotted timeout") from None
        return bytes(body)

    async def _stream(self, incoming: web.BaseRequest, request: Request, response: Response) -> web.StreamResponse:
        from aiohttp import web

        media = _media(request)
        kind = "text/plain" if response.text is not None else media.name
        headers = _with_warnings({"Cache-Control": _CACHE, "Content-Type": kind}, request)
        outgoing = web.StreamResponse(status=response.status, headers=headers)
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        protocol = cast("Protocol", incoming.protocol)
        protocol.streaming = task
        if response.stream is not None:
            response.stream.on_cut(protocol.abort)
        chunks = _chunks(self._server, request, response)
        try:
            if incoming.version >= (1, 1):
                outgoing.enable_chunked_encoding()
            await outgoing.prepare(incoming)
            async for chunk in chunks:
                await outgoing.write(chunk)
            await outgoing.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            if response.stream is not None:
                response.stream.close()
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
