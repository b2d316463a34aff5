"""aiohttp's protocol with the limits of upstream's HTTP server and the answers of Go's net/http.

Limits: 1 MiB for a request's head, 32 s for it to arrive, 90 s between requests, a minute for a reader that does not read. What is no
HTTP is a 400 in text, what is HTTP but no method we know a 405 Status.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, cast

import orjson
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from kctl.kube_apiserver.memory import MemoryReturn
from kctl.kube_apiserver.request_info import not_allowed

_LOG = logging.getLogger(__name__)
MAX_HEAD_BYTES = (1 << 20) + 4096
"""Go's default limit (DefaultMaxHeaderBytes) and its slack for the request line."""
MAX_HEADERS = 4096
HEAD_SECONDS = 32.0
"""Upstream's ReadHeaderTimeout."""
IDLE_SECONDS = 90.0
"""Upstream's IdleTimeout."""
STALL_SECONDS = 60.0
"""How long a connection may stay full of what its client does not read; as long as upstream gives a whole request."""
UPGRADED_STALL_SECONDS = 15 * 60.0
"""The same of an upgraded one: somebody may have stopped a terminal's output for a while. Upstream's finishTimeout."""
WRITE_BUFFER_BYTES = 64 * 1024
LINGER_SECONDS = 0.5
"""How long what a refused client still sends is read and thrown away (Go's rstAvoidanceDelay): a connection closed with unread bytes is
reset, and the client may never see the answer."""


class Protocol(RequestHandler):
    __slots__ = ("_body", "_head_bytes", "_head_timer", "_heads_only", "_refused", "_stall_timer", "streaming")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._body: Any = None
        """The newest request's; once it has ended a head is awaited."""
        self._head_bytes = 0
        self._heads_only = False
        """The newest head begins as that of a HEAD request, whose answer has no body even where it could not be read."""
        self._refused = False
        """The last answer is sent; nothing more is read as a request."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self.streaming: asyncio.Task[Any] | None = None
        """What sends a watch or a log: it ends with the connection. A quiet one would else not notice for an hour."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(WRITE_BUFFER_BYTES)
        self._head_timer = self._loop.call_later(HEAD_SECONDS, self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timers()
        if self.streaming is not None:
            self.streaming.cancel()
            self.streaming = None
        super().connection_lost(exc)
        self._body = None

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._stall_timer = None

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        in_head = self._body is None or self._body.is_eof()
        if in_head and not self._head_bytes:
            self._heads_only = data.startswith(b"HEAD ")
        before, body = self._request_count, self._body
        super().data_received(data)
        if self._request_count != before:
            if not in_head and not body.is_eof() and isinstance(self._messages[-1][0], _ErrInfo):
                self._break_off(body)
                return
            self._body = self._messages[-1][1]
            self._head_bytes = 0
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif in_head and data and not self._upgraded and self._payload_parser is None:
            self._count_head(len(data))

    def _break_off(self, body: Any) -> None:
        """What came as part of a body is none: aiohttp would answer that once the request is, which waits for its body."""
        self._messages.pop()
        body.set_exception(web.RequestPayloadError())
        body.feed_eof()
        self.close()

    def _count_head(self, received: int) -> None:
        """Part of a head has come, and not its end."""
        self._head_bytes += received
        if self._head_bytes > MAX_HEAD_BYTES:
            if self._current_request is None and not self._messages and self.transport is not None:
                self._refuse(self.transport, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            else:
                self.force_close()
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(HEAD_SECONDS, self.force_close)

    def _refuse(self, transport: asyncio.Transport, status: HTTPStatus) -> None:
        self._refused = True
        answer = _go_error(status)
        transport.write(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if self._heads_only else answer)
        if transport.can_write_eof():
            transport.write_eof()
        self._stop_timers()
        self._head_timer = self._loop.call_later(LINGER_SECONDS, self.force_close)

    def pause_writing(self) -> None:
        super().pause_writing()
        seconds = STALL_SECONDS if self._payload_parser is None else UPGRADED_STALL_SECONDS
        self._stall_timer = self._loop.call_later(seconds, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def abort(self) -> None:
        """The client is too slow: nothing more is sent, not even what is buffered."""
        if self.transport is not None:
            _LOG.info("%s does not read its answer: the connection is closed", self.peername)
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0 or status >= 500:
            return super().handle_error(request, status, exc, message)
        if isinstance(exc, BadHttpMethod) and " HTTP/1." in exc.message:  # which quotes the line
            response = web.Response(status=405, body=orjson.dumps(not_allowed().status), content_type="application/json")
        else:
            code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if isinstance(exc, LineTooLong) else HTTPStatus(status)
            response = web.Response(status=code, text=_words(code, message or ""), content_type="text/plain", charset="utf-8")
        if self._heads_only:
            response.body = None
        response.force_close()
        return response


def _words(status: HTTPStatus, message: str) -> str:
    why = ": missing required Host header" if "Missing 'Host' header" in message else ""
    return f"{status.value} {status.phrase}{why}"


def _go_error(status: HTTPStatus) -> bytes:
    line = f"{status.value} {status.phrase}"
    return f"HTTP/1.1 {line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{line}".encode()


_CONNECTION_BYTES = 40 * 1024
"""About what one costs."""


class Server(web.Server):
    """Makes a Protocol for each connection, counts them, and gives back the memory of those that are gone."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler, access_log=None)
        self.open = 0
        self.memory = MemoryReturn()

    def __call__(self) -> Protocol:
        return Protocol(
            self,
            loop=self._loop,
            keepalive_timeout=IDLE_SECONDS,
            auto_decompress=False,  # upstream does not undo a Content-Encoding
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            max_headers=MAX_HEADERS,
            **self._kwargs,
        )

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        self.open += 1
        super().connection_made(handler, transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self.open -= 1
        super().connection_lost(handler, exc)
        self.memory.freed(_CONNECTION_BYTES, cycles=True)
