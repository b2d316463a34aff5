"""The HTTP transport of one-shot commands: plain blocking sockets, and nothing imported that they do not need.

Its methods are coroutines that never wait for an event loop, so a command runs the same on it as on any other transport
(kctl.cli.session drives it) while `kctl get pods` is spared importing asyncio and h11. One request at a time.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from kctl.client.errors import ConnectionFailed
from kctl.client.http_encoding import (
    METHODS,
    Headers,
    decode_object,
    encode,
    error,
    event,
    flat,
    is_stream,
    query_text,
    warnings,
)
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, WatchEvent

_BUFFER_BYTES: Final = 256 * 1024


class _Head(NamedTuple):
    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]

    def get(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key == name), b"")


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
    ) -> None:
        parts = urlsplit(server)
        self.server = server.rstrip("/")
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._ssl = ssl_context
        self._server_name = server_name
        self._headers = flat({"Host": parts.netloc, **(headers or {})})
        self._timeout = timeout
        self._on_warning = on_warning
        self._log = log
        self._socket: socket.socket | None = None
        self._file: io.BufferedReader | None = None

    async def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._file = None

    async def request(self, request: ApiRequest) -> ApiResponse:
        method = METHODS[request.verb]
        target, headers, body = encode(request)
        with self._failures(method, target):
            head = self._exchange(method, target, headers, body)
            if is_stream(request) and head.status < 400:
                return self._stream(request, head)
            data = self._body(head)
        if self._log is not None:
            self._log.body(data)
        texts = self._warnings(head)
        found = decode_object(data, head.status)
        if head.status >= 400:
            raise error(found, data, head.status)
        return ApiResponse(head.status, found, texts)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        target = path + (("&" if "?" in path else "?") + query_text(query) if query else "")
        wanted = [*(headers or {}).items()]
        given = {name.lower() for name, _ in wanted}
        if "accept" not in given:
            wanted.append(("Accept", "application/json, */*"))
        if body is not None and "content-type" not in given:
            wanted.append(("Content-Type", "application/json"))
        with self._failures(method, target):
            head = self._exchange(method, target, wanted, body)
            data = self._body(head)
        self._warnings(head)
        names = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        return RawResponse(head.status, names, data)

    @contextmanager
    def _failures(self, method: str, target: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self._drop()
            why = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
            raise ConnectionFailed(self.server, why, method=method, url=self.server + target) from None
        except (OSError, EOFError) as failure:
            from kctl.client.connection_errors import describe

            self._drop()
            why = describe(failure, self._host, self._port)
            raise ConnectionFailed(self.server, why, method=method, url=self.server + target) from None

    def _exchange(self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes | None) -> _Head:
        """Send, and read the answer's head; once more on a new connection if the kept one turns out to be closed."""
        kept = self._socket is not None
        try:
            return self._send(method, target, headers, body)
        except (OSError, EOFError):
            self._drop()
            if not kept:
                raise
        return self._send(method, target, headers, body)

    def _send(self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes | None) -> _Head:
        connection = self._connected()
        every = [*self._headers, *headers]
        if body is not None:
            every.append(("Content-Length", str(len(body))))
        if self._log is not None:
            self._log.request(method, self.server + target, every, body)
        lines = [f"{method} {self._prefix}{target} HTTP/1.1", *(f"{name}: {value}" for name, value in every), "", ""]
        connection.sendall("\r\n".join(lines).encode("latin-1") + (body or b""))
        head = self._read_head()
        if self._log is not None:
            self._log.response(head.status, head.reason, head.headers)
        return head

    def _connected(self) -> socket.socket:
        if self._socket is None:
            made = socket.create_connection((self._host, self._port), self._timeout or None)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._ssl is not None:
                made = self._ssl.wrap_socket(made, server_hostname=self._server_name or self._host)
            self._socket = made
            self._file = io.BufferedReader(socket.SocketIO(made, "r"), _BUFFER_BYTES)
        return self._socket

    def _line(self) -> bytes:
        assert self._file is not None
        line = self._file.readline()
        if not line:
            raise EOFError
        return line.rstrip(b"\r\n")

    def _read_head(self) -> _Head:
        version, _, rest = self._line().partition(b" ")
        if not version.startswith(b"HTTP/1."):
            raise EOFError
        code, _, reason = rest.partition(b" ")
        headers: list[tuple[bytes, bytes]] = []
        while line := self._line():
            name, _, value = line.partition(b":")
            headers.append((name.lower(), value.strip()))
        if code == b"100":
            return self._read_head()
        return _Head(int(code), reason.decode("latin-1"), headers)

    def _body(self, head: _Head) -> bytes:
        assert self._file is not None
        if head.status in (204, 304):
            return b""
        if head.get(b"transfer-encoding").lower() == b"chunked":
            data = b"".join(self._chunked())
        elif head.get(b"content-length"):
            length = int(head.get(b"content-length"))
            data = self._file.read(length)
            if len(data) < length:
                raise EOFError
        else:
            data = self._file.read()
            self._drop()
            return data
        if head.get(b"connection").lower() == b"close":
            self._drop()
        return data

    def _chunked(self) -> Iterator[bytes]:
        assert self._file is not None
        while size := int(self._line().partition(b";")[0], 16):
            yield self._file.read(size)
            self._line()
        while self._line():
            pass

    def _warnings(self, head: _Head) -> tuple[str, ...]:
        found = warnings(head.headers)
        if self._on_warning is not None:
            for text in found:
                self._on_warning(text)
        return found

    def _stream(self, request: ApiRequest, head: _Head) -> ApiResponse:
        texts = self._warnings(head)
        if request.verb == "watch":
            return ApiResponse(head.status, warnings=texts, events=self._events(head))
        return ApiResponse(head.status, warnings=texts, text=self._text(head))

    def _parts(self, head: _Head) -> Iterator[bytes]:
        """What a stream brings, as it comes; it ends at the time limit as at the server's end."""
        assert self._file is not None
        try:
            if head.get(b"transfer-encoding").lower() == b"chunked":
                yield from self._chunked()
                return
            left = int(head.get(b"content-length") or -1)
            while left and (part := self._file.read1(_BUFFER_BYTES if left < 0 else left)):
                left = max(left - len(part), 0) if left > 0 else left
                yield part
        except (TimeoutError, EOFError):
            return
        except OSError as failure:
            from kctl.client.connection_errors import describe

            raise ConnectionFailed(self.server, describe(failure, self._host, self._port)) from None
        finally:
            self._drop()

    async def _text(self, head: _Head) -> AsyncIterator[bytes]:
        for part in self._parts(head):
            yield part

    async def _events(self, head: _Head) -> AsyncIterator[Sequence[WatchEvent]]:
        rest = b""
        for part in self._parts(head):
            *lines, rest = (rest + part).split(b"\n")
            batch = [event(line) for line in lines if line.strip()]
            if batch:
                yield batch
