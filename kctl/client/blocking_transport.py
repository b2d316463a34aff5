"""The HTTP transport of one-shot commands: plain blocking sockets, and nothing imported that they do not need.

Its methods are coroutines that never wait for an event loop, so a command runs the same on it as on any other transport
(kctl.cli.session drives it) while `kctl get pods` is spared importing asyncio. One request at a time.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kctl.client.errors import ConnectionFailed
from kctl.client.http_codec import Headers, HttpCodec, HttpRequest, WatchLines, is_stream
from kctl.client.http_messages import Answer, Head, ProtocolError
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, WatchEvent

_READ_BYTES: Final = 256 * 1024


class BlockingTransport:
    """Parameters as HttpsTransport's."""

    def __init__(
        self,
        server: str,
        ssl_context: ssl.SSLContext | None,
        *,
        headers: Headers | None = None,
        server_name: str = "",
        timeout: float = 0.0,
        on_warning: Callable[[str], None] | None = None,
        log: Any = None,
        on_date: Callable[[bytes], None] | None = None,
    ) -> None:
        self._codec = HttpCodec(server, headers or {}, on_warning, log, on_date)
        self._ssl = ssl_context
        self._server_name = server_name
        self._timeout = timeout
        self._socket: socket.socket | None = None

    async def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    async def request(self, request: ApiRequest) -> ApiResponse:
        sent = self._codec.request(request)
        with self._failures(sent):
            answer, head, first = self._exchange(sent)
            texts = self._codec.heard(head)
            if is_stream(request) and head.status < 400:
                parts = self._parts(answer, first)
                if request.verb == "watch":
                    return ApiResponse(head.status, warnings=texts, events=_events(parts))
                return ApiResponse(head.status, warnings=texts, text=_text(parts))
            data = self._body(answer, first)
        return self._codec.response(head, data, texts)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        sent = self._codec.raw(method, path, query, body, headers or {})
        with self._failures(sent):
            answer, head, first = self._exchange(sent)
            self._codec.heard(head)
            data = self._body(answer, first)
        return self._codec.raw_response(head, data)

    @contextmanager
    def _failures(self, sent: HttpRequest) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self._drop()
            raise sent.timed_out() from None
        except (OSError, EOFError, ProtocolError) as failure:
            self._drop()
            raise sent.failed(failure) from None

    def _exchange(self, sent: HttpRequest) -> tuple[Answer, Head, list[bytes]]:
        """Send, and read the answer's head; once more on a new connection if the kept one turns out to be closed."""
        kept = self._socket is not None
        data = sent.encoded()
        try:
            return self._send(data)
        except (OSError, EOFError):
            self._drop()
            if not kept:
                raise
        return self._send(data)

    def _send(self, data: bytes) -> tuple[Answer, Head, list[bytes]]:
        """The answer, its head, and what came with it of the body."""
        connection = self._connected()
        connection.sendall(data)
        answer = Answer()
        while True:
            parts = answer.feed(connection.recv(_READ_BYTES))
            if answer.head is not None:
                return answer, answer.head, parts

    def _connected(self) -> socket.socket:
        if self._socket is None:
            address = self._codec.address
            made = socket.create_connection((_plain(address.host), address.port), self._timeout or None)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._ssl is not None:
                made = self._ssl.wrap_socket(made, server_hostname=_plain(self._server_name or address.host))
            self._socket = made
        return self._socket

    def _body(self, answer: Answer, parts: list[bytes]) -> bytes:
        assert self._socket is not None
        while not answer.done:
            parts += answer.feed(self._socket.recv(_READ_BYTES))
        if not answer.reusable:
            self._drop()
        return b"".join(parts)

    def _parts(self, answer: Answer, parts: list[bytes]) -> Iterator[bytes]:
        """What a stream brings, as it comes; it ends at the time limit as at the server's end."""
        assert self._socket is not None
        try:
            while True:
                yield from parts
                if answer.done:
                    return
                parts = answer.feed(self._socket.recv(_READ_BYTES))
        except (TimeoutError, EOFError):
            return
        except (OSError, ProtocolError) as failure:
            raise ConnectionFailed(self._codec.server, self._codec.why(failure)) from None
        finally:
            self._drop()


def _plain(host: str) -> Any:
    """As bytes where it is ASCII: Python then does without its codec for international names."""
    return host.encode() if host.isascii() else host


async def _text(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def _events(parts: Iterator[bytes]) -> AsyncIterator[Sequence[WatchEvent]]:
    lines = WatchLines()
    for part in parts:
        batch = lines.feed(part)
        if batch:
            yield batch
