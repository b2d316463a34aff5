"""Transport over HTTP/1.1 and TLS: h11 on asyncio streams, with a pool of kept-alive connections.

No aiohttp: what a command imports, its user waits for. A request on a connection that the server closed meanwhile is sent
once more on a new one; every other failure is ConnectionFailed in net/http's words.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import h11

from kctl.client.connection_errors import describe
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

_READ_BYTES: Final = 256 * 1024
_IDLE_CONNECTIONS: Final = 16


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.state = h11.Connection(h11.CLIENT)
        self.used = False

    async def send(self, *events: h11.Event) -> None:
        data = b"".join(filter(None, (self.state.send(event) for event in events)))
        self.writer.write(data)
        await self.writer.drain()

    async def next_event(self) -> h11.Event:
        while True:
            event = self.state.next_event()
            if event is h11.NEED_DATA:
                self.state.receive_data(await self.reader.read(_READ_BYTES))
                continue
            assert isinstance(event, h11.Event)
            return event

    async def body(self) -> bytes:
        parts: list[bytes] = []
        while isinstance(event := await self.next_event(), h11.Data):
            parts.append(bytes(event.data))
        return b"".join(parts)

    def close(self) -> None:
        self.writer.close()


class HttpsTransport:
    """`server` is a URL, https or http, perhaps with a path prefix. `headers` go with every request. `timeout` in seconds
    covers an answer's headers and body, not a watch; 0 means none."""

    def __init__(
        self,
        server: str,
        ssl_context: ssl.SSLContext | None,
        token: str = "",
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
        if token:
            self._headers.append(("Authorization", f"Bearer {token}"))
        self._timeout = timeout
        self._on_warning = on_warning
        self._log = log
        self._idle: list[_Connection] = []

    async def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def request(self, request: ApiRequest) -> ApiResponse:
        method = METHODS[request.verb]
        target, headers, body = encode(request)
        streaming = is_stream(request)
        async with self._failures(method, target):
            connection, response = await self._exchange(method, target, headers, body)
            if streaming and response.status_code < 400:
                return self._stream(request, connection, response)
            data = await self._finish(connection)
        if self._log is not None:
            self._log.body(data)
        texts = self._warnings(response)
        found = decode_object(data, response.status_code)
        if response.status_code >= 400:
            raise error(found, data, response.status_code)
        return ApiResponse(response.status_code, found, texts)

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
        wanted = [("Accept", "application/json, */*"), *(headers or {}).items()]
        if body is not None and not any(name.lower() == "content-type" for name, _ in wanted):
            wanted.append(("Content-Type", "application/json"))
        async with self._failures(method, target):
            connection, response = await self._exchange(method, target, wanted, body)
            data = await self._finish(connection)
        self._warnings(response)
        names = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
        return RawResponse(response.status_code, names, data)

    @asynccontextmanager
    async def _failures(self, method: str, target: str) -> AsyncIterator[None]:
        """Everything between the first byte sent and the last one read: the time limit, and failures as ConnectionFailed."""
        url = self.server + target
        try:
            async with asyncio.timeout(self._timeout or None):
                try:
                    yield
                except (OSError, EOFError, h11.ProtocolError) as failure:
                    why = describe(failure, self._host, self._port)
                    raise ConnectionFailed(self.server, why, method=method, url=url) from None
        except TimeoutError:
            why = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
            raise ConnectionFailed(self.server, why, method=method, url=url) from None

    async def _exchange(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> tuple[_Connection, h11.Response]:
        """Send, and read the answer's head; once more on a fresh connection when a kept one turns out to be dead."""
        while True:
            connection = await self._connection()
            try:
                return connection, await self._head(connection, method, target, headers, body)
            except (OSError, EOFError, h11.RemoteProtocolError):
                connection.close()
                if not connection.used:
                    raise
            except BaseException:
                connection.close()
                raise

    async def _head(
        self, connection: _Connection, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> h11.Response:
        every = [*self._headers, *headers]
        if body is not None:
            every.append(("Content-Length", str(len(body))))
        request = h11.Request(method=method, target=self._prefix + target, headers=every)
        if self._log is not None:
            self._log.request(method, self.server + target, every, body)
        content = (h11.Data(data=body),) if body else ()
        await connection.send(request, *content, h11.EndOfMessage())
        while not isinstance(response := await connection.next_event(), h11.Response):
            if isinstance(response, h11.ConnectionClosed):
                raise EOFError
        if self._log is not None:
            self._log.response(response.status_code, bytes(response.reason).decode(), response.headers)
        return response

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof():
                connection.used = True
                return connection
            connection.close()
        more: dict[str, Any] = {}
        if self._ssl is not None:
            more = {"ssl": self._ssl, "server_hostname": self._server_name or self._host}
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=2 * _READ_BYTES, **more)
        return _Connection(reader, writer)

    async def _finish(self, connection: _Connection) -> bytes:
        data = await connection.body()
        if connection.state.our_state is h11.DONE and connection.state.their_state is h11.DONE:
            connection.state.start_next_cycle()
            if len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return data
        connection.close()
        return data

    def _warnings(self, response: h11.Response) -> tuple[str, ...]:
        found = warnings(response.headers)
        if self._on_warning is not None:
            for text in found:
                self._on_warning(text)
        return found

    def _stream(self, request: ApiRequest, connection: _Connection, response: h11.Response) -> ApiResponse:
        texts = self._warnings(response)
        if request.verb == "watch":
            return ApiResponse(response.status_code, warnings=texts, events=self._events(connection))
        return ApiResponse(response.status_code, warnings=texts, text=self._chunks(connection))

    async def _chunks(self, connection: _Connection) -> AsyncIterator[bytes]:
        """A stream ends at the time limit, where there is one, as at the server's end."""
        deadline = asyncio.get_running_loop().time() + self._timeout if self._timeout else None
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    part = await connection.next_event()
                if not isinstance(part, h11.Data):
                    return
                yield bytes(part.data)
        except TimeoutError:
            return
        except (OSError, EOFError, h11.ProtocolError) as failure:
            raise ConnectionFailed(self.server, describe(failure, self._host, self._port)) from None
        finally:
            connection.close()

    async def _events(self, connection: _Connection) -> AsyncIterator[Sequence[WatchEvent]]:
        rest = b""
        chunks = self._chunks(connection)
        try:
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                batch = [event(line) for line in lines if line.strip()]
                if batch:
                    yield batch
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]
