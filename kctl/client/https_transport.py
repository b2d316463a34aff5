"""Transport over HTTP/1.1 and TLS on asyncio streams, with a pool of kept-alive connections.

A request on a connection that the server closed meanwhile is sent once more on a new one; every other failure is
ConnectionFailed in net/http's words.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from kctl.client.errors import ConnectionFailed
from kctl.client.http_codec import Headers, HttpCodec, HttpRequest, WatchLines, is_stream
from kctl.client.http_messages import Address, Answer, Head, ProtocolError
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, WatchEvent

if TYPE_CHECKING:
    from kctl.client.streaming.upgrade import Upgraded

_READ_BYTES: Final = 256 * 1024
_IDLE_CONNECTIONS: Final = 16


class _Connection:
    """One socket; `parts` is what has come of the present answer's body and nobody has taken yet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.used = False
        self.answer = Answer()
        self.parts: list[bytes] = []

    async def exchange(self, data: bytes) -> Head:
        """Send a request; the head of its answer."""
        self.answer, self.parts = Answer(), []
        self.writer.write(data)
        await self.writer.drain()
        while self.answer.head is None:
            await self._read()
        return self.answer.head

    async def _read(self) -> None:
        self.parts += self.answer.feed(await self.reader.read(_READ_BYTES))

    async def body(self) -> bytes:
        while not self.answer.done:
            await self._read()
        return b"".join(self.parts)

    async def next_part(self) -> bytes:
        """b"" at the end of the answer."""
        while not self.parts and not self.answer.done:
            await self._read()
        parts, self.parts = self.parts, []
        return b"".join(parts)

    def close(self) -> None:
        self.writer.close()


class _UpgradedConnection:
    """kctl.client.streaming.upgrade.Upgraded over a socket."""

    def __init__(self, connection: _Connection, head: Head) -> None:
        self._connection = connection
        self.headers: Mapping[str, str] = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}

    async def read(self) -> bytes:
        try:
            return await self._connection.next_part()
        except (OSError, EOFError):
            return b""

    async def write(self, data: bytes) -> None:
        try:
            self._connection.writer.write(data)
            await self._connection.writer.drain()
        except OSError as failure:
            raise ConnectionError(str(failure)) from None

    def close(self) -> None:
        self._connection.close()


class HttpsTransport:
    """`server` is a URL, https or http, perhaps with a path prefix. `headers` go with every request. `timeout` in seconds
    covers an answer's headers and body, not a watch; 0 means none. `most_requests` are under way at a time, not counting watches and logs;
    others wait for their turn. 0 means any number."""

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
        on_date: Callable[[bytes], None] | None = None,
        most_requests: int = 0,
    ) -> None:
        more = {"Authorization": f"Bearer {token}"} if token else {}
        self._codec = HttpCodec(server, {**(headers or {}), **more}, on_warning, log, on_date)
        self._ssl = ssl_context
        self._server_name = server_name
        self._timeout = timeout
        self._idle: list[_Connection] = []
        self._turns = asyncio.Semaphore(most_requests) if most_requests else None

    async def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def request(self, request: ApiRequest) -> ApiResponse:
        if self._turns is None or is_stream(request):
            return await self._request(request)
        async with self._turns:
            return await self._request(request)

    async def _request(self, request: ApiRequest) -> ApiResponse:
        sent = self._codec.request(request)
        async with self._failures(sent):
            connection, head = await self._exchange(sent)
            texts = self._codec.heard(head)
            if is_stream(request) and head.status < 400:
                if request.verb == "watch":
                    return ApiResponse(head.status, warnings=texts, events=self._events(connection))
                return ApiResponse(head.status, warnings=texts, text=self._chunks(connection))
            data = await self._finish(connection)
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
        async with self._failures(sent):
            connection, head = await self._exchange(sent)
            self._codec.heard(head)
            data = await self._finish(connection)
        return self._codec.raw_response(head, data)

    async def upgrade(self, method: str, path: str, headers: Mapping[str, str]) -> Upgraded:
        """Make a connection another protocol's: `headers` name it. Raises UpgradeRefused where the server does not change over."""
        sent = self._codec.raw(method, path, None, None, {"Connection": "Upgrade", **headers})
        async with self._failures(sent):
            connection, head = await self._exchange(sent)
            self._codec.heard(head)
            if head.status == 101:
                return _UpgradedConnection(connection, head)
            data = await self._finish(connection)
        from kctl.client.streaming.upgrade import UpgradeRefused

        raise UpgradeRefused(head.status, data)

    @asynccontextmanager
    async def _failures(self, sent: HttpRequest) -> AsyncIterator[None]:
        """Everything between the first byte sent and the last one read: the time limit, and failures as ConnectionFailed."""
        try:
            async with asyncio.timeout(self._timeout or None):
                try:
                    yield
                except (OSError, EOFError, ProtocolError) as failure:
                    if isinstance(failure, TimeoutError):
                        raise
                    raise sent.failed(failure) from None
        except TimeoutError:
            raise sent.timed_out() from None

    async def _exchange(self, sent: HttpRequest) -> tuple[_Connection, Head]:
        """Send, and read the answer's head; once more on a fresh connection when a kept one turns out to be dead."""
        data = sent.encoded()
        while True:
            connection = await self._connection()
            try:
                return connection, await connection.exchange(data)
            except (OSError, EOFError):
                connection.close()
                if not connection.used:
                    raise
            except BaseException:
                connection.close()
                raise

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof():
                connection.used = True
                return connection
            connection.close()
        return _Connection(*await self.dial())

    @property
    def address(self) -> Address:
        return self._codec.address

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Those that go with every request, the credentials among them."""
        return self._codec.headers

    async def dial(self, keepalive_seconds: float = 0.0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection to the server, for whoever speaks HTTP on it himself. Raises OSError."""
        address = self._codec.address
        more: dict[str, Any] = {}
        if self._ssl is not None:
            more = {"ssl": self._ssl, "server_hostname": self._server_name or address.host}
        reader, writer = await asyncio.open_connection(address.host, address.port, limit=2 * _READ_BYTES, **more)
        if keepalive_seconds > 0:
            import socket

            made = writer.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
                if hasattr(socket, option):
                    made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), max(1, int(keepalive_seconds)))
        return reader, writer

    async def _finish(self, connection: _Connection) -> bytes:
        try:
            data = await connection.body()
        except BaseException:
            connection.close()
            raise
        if connection.answer.reusable and len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return data

    async def _chunks(self, connection: _Connection) -> AsyncIterator[bytes]:
        """A stream ends at the time limit, where there is one, as at the server's end."""
        deadline = asyncio.get_running_loop().time() + self._timeout if self._timeout else None
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    part = await connection.next_part()
                if not part:
                    return
                yield part
        except (TimeoutError, EOFError):
            return
        except (OSError, ProtocolError) as failure:
            raise ConnectionFailed(self._codec.server, self._codec.why(failure)) from None
        finally:
            connection.close()

    async def _events(self, connection: _Connection) -> AsyncIterator[Sequence[WatchEvent]]:
        lines = WatchLines()
        async with aclosing(self._chunks(connection)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                batch = lines.feed(chunk)
                if batch:
                    yield batch
