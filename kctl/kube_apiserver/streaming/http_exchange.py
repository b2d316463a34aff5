"""HTTP/1.1 to what is proxied to: one request and its answer over a dialed connection, both streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from kctl.client.http_messages import Answer, Head, request_bytes
from kctl.kube_apiserver.streaming.dialing import DialedConnection

_READ_BYTES = 64 * 1024
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "proxy-connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
Headers = list[tuple[str, str]]


def end_to_end(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers that are not about the one connection they came over (Go's removeHopByHopHeaders)."""
    given = list(headers)
    named = {name.strip().lower() for key, value in given if key.lower() == "connection" for name in value.split(",")}
    return [(key, value) for key, value in given if key.lower() not in _HOP_BY_HOP and key.lower() not in named]


class Exchange:
    """`close` whatever happens; it also ends the sending of the body."""

    def __init__(self, connection: DialedConnection) -> None:
        self._connection = connection
        self._answer = Answer()
        self._parts: list[bytes] = []
        self._sending: asyncio.Task[None] | None = None
        self._has_body = True

    async def ask(self, method: str, target: str, headers: Headers, body: AsyncIterator[bytes] | None, length: int | None) -> Head:
        """The head of the answer; `length` of the body where it is known. Raises OSError, EOFError, ProtocolError."""
        self._has_body = method != "HEAD"
        if body is not None:
            headers = [*headers, ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))]
        await self._connection.write(request_bytes(method, target, headers, None))
        if body is not None:
            self._sending = asyncio.get_running_loop().create_task(self._send(body, chunked=length is None))
        while self._answer.head is None:
            await self._read()
        return self._answer.head

    async def _send(self, body: AsyncIterator[bytes], *, chunked: bool) -> None:
        try:
            async for part in body:
                if part:
                    await self._connection.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            if chunked:
                await self._connection.write(b"0\r\n\r\n")
        except OSError:
            return  # what the other side has answered already is still to be read

    async def _read(self) -> None:
        data = await self._connection.read(_READ_BYTES)
        if not data and self._answer.head is not None and not self._has_body:
            return
        self._parts += self._answer.feed(data)

    @property
    def raw(self) -> DialedConnection:
        """For what follows an answer that changes the protocol."""
        return self._connection

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises OSError, EOFError, ProtocolError where it is not whole. Closes the connection."""
        try:
            while self._has_body:
                parts, self._parts = self._parts, []
                for part in parts:
                    yield part
                if self._answer.done:
                    return
                await self._read()
        finally:
            self.close()

    def early(self) -> bytes:
        """What came behind the head of an answer that changes the protocol."""
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
        self._connection.close()
