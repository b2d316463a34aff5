"""The server of `kctl proxy`: each connection of a client has one to the API server, over which its requests go on one after another.

Bytes are handed on as they come, so that watches and logs flow; a request that changes over to another protocol (exec, port-forward)
owns both connections from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

from kctl.cli.proxy import filters
from kctl.cli.proxy.filters import Filter
from kctl.cli.proxy.requests import HEAD_BYTES, BadRequest, ClientRequest, chunk_size, parse_head
from kctl.cli.proxy.static_files import NOT_FOUND, Served, moved, said, served
from kctl.client.http_messages import Answer, ProtocolError, request_bytes

STREAM_LIMIT: Final = HEAD_BYTES
"""Of a client's stream: no line or head may be longer."""
_READ_BYTES: Final = 64 * 1024
_MOST_CLIENTS: Final = 1024
"""Connections at a time; the next waits for one to go."""

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@dataclass(frozen=True)
class Upstream:
    """The API server. `headers` are put to requests that do not bring their own; `prefix` goes before each path."""

    dial: Dial
    authority: str
    headers: tuple[tuple[str, str], ...]
    prefix: str


@dataclass(frozen=True)
class Routes:
    """`filter` None lets everything through; `www` None serves no files. The prefixes end in a slash."""

    api_prefix: str
    filter: Filter | None
    www: Path | None
    www_prefix: str


class Gateway:
    """`failed` is told what goes wrong between here and the API server."""

    def __init__(self, upstream: Upstream, routes: Routes, failed: Callable[[str], None]) -> None:
        self._upstream = upstream
        self._routes = routes
        self._failed = failed
        self._room = asyncio.Semaphore(_MOST_CLIENTS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client's connection, to its end."""
        async with self._room:
            connection = _ClientConnection(self._upstream, self._routes, self._failed, reader, writer)
            try:
                while await connection.next():
                    pass
            except (OSError, EOFError):
                pass
            finally:
                connection.close()


class _ClientConnection:
    def __init__(
        self,
        upstream: Upstream,
        routes: Routes,
        failed: Callable[[str], None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._upstream = upstream
        self._routes = routes
        self._failed = failed
        self._reader = reader
        self._writer = writer
        self._server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        self._writer.close()
        self._leave_server()

    def _leave_server(self) -> None:
        if self._server is not None:
            self._server[1].close()
            self._server = None

    async def next(self) -> bool:
        """Serve one request. Whether there may be another."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        except asyncio.LimitOverrunError:
            await self._answer(said(431, "431 Request Header Fields Too Large"), close=True)
            return False
        try:
            request = parse_head(head[:-4])
        except BadRequest:
            await self._answer(said(400, "400 Bad Request"), close=True)
            return False
        own = self._own_answer(request)
        if own is not None:
            close = not request.keeps_connection or request.length != 0  # a body that nobody reads ends the connection
            await self._answer(own, close=close, bodiless=request.method == "HEAD")
            return not close
        return await self._forward(request)

    def _own_answer(self, request: ClientRequest) -> Served | None:
        """What is answered here: files, redirects and refusals; None for the API's."""
        routes, path = self._routes, request.path
        clean = filters.cleaned(path)
        prefixes = [routes.api_prefix, *([routes.www_prefix] if routes.www is not None else [])]
        if clean + "/" in prefixes:
            clean += "/"
        if clean != path:
            return moved(quote(clean, safe="/:@!$&'()*+,;=~") + request.query)
        chosen = max((prefix for prefix in prefixes if path.startswith(prefix)), key=len, default="")
        if not chosen:
            return NOT_FOUND
        if routes.www is not None and chosen == routes.www_prefix:
            return served(routes.www, filters.below(chosen, path), request.query)
        if routes.filter is not None and not routes.filter.accepts(request.method, filters.api_path(chosen, path), request.header("host")):
            return said(403, "Forbidden")
        return None

    async def _answer(self, answer: Served, *, close: bool, bodiless: bool = False) -> None:
        headers = [*answer.headers, ("Connection", "close")] if close else list(answer.headers)
        if isinstance(answer.body, bytes):
            headers.append(("Content-Length", str(len(answer.body))))
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
        self._writer.write("\r\n".join(lines).encode("latin-1"))
        if not bodiless:
            if isinstance(answer.body, bytes):
                self._writer.write(answer.body)
            else:
                await self._send_file(answer.body, int(dict(headers)["Content-Length"]))
        await self._writer.drain()

    async def _send_file(self, place: Path, length: int) -> None:
        """Exactly so many bytes, whatever becomes of the file meanwhile; EOFError where it got shorter."""
        with place.open("rb") as file:
            while length:
                part = file.read(min(_READ_BYTES, length))
                if not part:
                    raise EOFError
                length -= len(part)
                self._writer.write(part)
                await self._writer.drain()

    # ---- to the API server

    async def _forward(self, request: ClientRequest) -> bool:
        try:
            reader, writer = await self._send_head(request)
        except (OSError, ProtocolError) as error:
            self._failed(f"Error while proxying request: {error}")
            await self._answer(said(500, str(error)), close=True)
            return False
        if request.waits_for_continue:
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            await self._send_body(request, writer)
        except BadRequest:
            await self._answer(said(400, "400 Bad Request"), close=True)
            return False
        try:
            answer = await self._relay(request, reader)
        except (EOFError, ProtocolError) as error:
            self._failed(f"Error while proxying request: {str(error) or 'unexpected EOF'}")
            return False
        assert answer.head is not None
        if answer.head.status == 101:
            await self._both_ways(reader, writer)
            return False
        if not answer.reusable:
            self._leave_server()
            return False
        return request.keeps_connection

    async def _send_head(self, request: ClientRequest) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """On the connection there is, or a new one."""
        upstream = self._upstream
        if self._server is not None and self._server[0].at_eof():
            self._leave_server()
        if self._server is None:
            self._server = await upstream.dial()
        headers = [("Host", upstream.authority), *request.end_to_end()]
        given = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in upstream.headers if name.lower() not in given]
        if request.upgrade:
            headers += [("Connection", "Upgrade"), ("Upgrade", request.upgrade)]
        if request.length < 0:
            headers.append(("Transfer-Encoding", "chunked"))
        elif request.length or request.header("content-length"):
            headers.append(("Content-Length", str(request.length)))
        prefix, path = self._routes.api_prefix, request.raw_path
        if not path.startswith(prefix):  # the prefix itself is percent-encoded
            path = quote(request.path)
        target = filters.api_path(prefix, path)
        self._server[1].write(request_bytes(request.method, upstream.prefix + target + request.query, headers, None))
        await self._server[1].drain()
        return self._server

    async def _send_body(self, request: ClientRequest, writer: asyncio.StreamWriter) -> None:
        if request.length >= 0:
            await self._copy(request.length, writer)
            return
        while True:
            line = await self._line()
            size = chunk_size(line)
            writer.write(b"%x\r\n" % size)
            if not size:
                break
            await self._copy(size, writer)
            if await self._line():
                raise BadRequest("malformed chunked encoding")
            writer.write(b"\r\n")
        while await self._line():  # trailers stay here
            pass
        writer.write(b"\r\n")
        await writer.drain()

    async def _line(self) -> bytes:
        try:
            return (await self._reader.readuntil(b"\r\n"))[:-2]
        except asyncio.LimitOverrunError:
            raise BadRequest("line too long") from None

    async def _copy(self, size: int, writer: asyncio.StreamWriter) -> None:
        while size:
            part = await self._reader.read(min(size, _READ_BYTES))
            if not part:
                raise EOFError
            size -= len(part)
            writer.write(part)
            await writer.drain()

    async def _relay(self, request: ClientRequest, reader: asyncio.StreamReader) -> Answer:
        """The answer's bytes as they come, to its end."""
        answer = Answer(bodiless=request.method == "HEAD")
        while not answer.done:
            data = await reader.read(_READ_BYTES)
            answer.feed(data)
            self._writer.write(data)
            await self._writer.drain()
            if answer.head is not None and answer.head.status == 101:
                break
        return answer

    async def _both_ways(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until either side ends."""
        ways = [asyncio.ensure_future(_pipe(self._reader, writer)), asyncio.ensure_future(_pipe(reader, self._writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(_READ_BYTES):
            writer.write(part)
            await writer.drain()
