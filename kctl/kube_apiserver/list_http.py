"""A list over HTTP: short ones as one body, longer ones in chunks, each sent before the next is made. A client that reads slowly holds up
nobody and costs one chunk; big answers take turns, so that small requests in between are answered at once.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from aiohttp.http_writer import StreamWriter

from kctl.kube_apiserver.list_encoding import CHUNK_BYTES

if TYPE_CHECKING:
    from multidict import CIMultiDict

_LOG = logging.getLogger(__name__)
TURNS = 4
"""Chunks made and written in one turn of the loop, for all clients together."""
GZIP_BYTES = 128 * 1024
"""Upstream compresses what is longer, at level 1."""
_GZIP_WINDOW = 31


_Make = Callable[[], Awaitable[bytes]]
"""The next chunk; none is empty but what comes after the last."""


async def _made_here(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")


async def _made_beside(chunks: Iterator[bytes]) -> bytes:
    return await asyncio.to_thread(next, chunks, b"")


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """As upstream: a bare `gzip` among the encodings."""
    return any(part.strip() == "gzip" for part in headers.get("accept-encoding", "").split(","))


class ListSender:
    """One for all requests of a port: it holds the turns."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(TURNS)

    async def send(
        self, incoming: web.BaseRequest, status: int, headers: CIMultiDict[str], chunks: Iterator[bytes], gzip: bool, *, slow: bool = False
    ) -> web.StreamResponse:
        """The whole answer; chunks that take long to make (`slow`) are made beside the event loop. Raises what making the first ones
        raises."""
        make = partial(_made_beside if slow else _made_here, chunks)
        begin, whole = await self._begin(make, GZIP_BYTES if gzip else CHUNK_BYTES)
        if whole:
            return web.Response(status=status, headers=headers, body=begin)
        pack = zlib.compressobj(1, zlib.DEFLATED, _GZIP_WINDOW) if gzip else None
        if pack is not None:
            headers["Content-Encoding"] = "gzip"
            headers["Vary"] = "Accept-Encoding"
        outgoing = web.StreamResponse(status=status, headers=headers)
        if incoming.version >= (1, 1):
            outgoing.enable_chunked_encoding()
        try:
            await self._write(outgoing, incoming, begin, make, pack)
        except ConnectionError:  # the client is gone
            pass
        except Exception:  # the answer has begun: nothing can be said but that it is not whole
            _LOG.exception("the list %s broke off", incoming.raw_path)
            if incoming.transport is not None:
                incoming.transport.abort()
        return outgoing

    async def _write(self, outgoing: web.StreamResponse, incoming: web.BaseRequest, begin: bytes, make: _Make, pack: Any) -> None:
        writer = cast(StreamWriter, await outgoing.prepare(incoming))
        chunk = begin
        while chunk:
            async with self._turns:
                await writer.write(pack.compress(chunk) if pack is not None else chunk, drain=False)
                chunk = await make()
                await asyncio.sleep(0)
            await writer.drain()
        await outgoing.write_eof(pack.flush() if pack is not None else b"")

    async def _begin(self, make: _Make, enough: int) -> tuple[bytes, bool]:
        """The first chunks, until they are longer than `enough` bytes; whether they are all."""
        begin = [await make()]
        while more := await make():
            begin.append(more)
            if sum(map(len, begin)) > enough:
                return b"".join(begin), False
            await asyncio.sleep(0)
        return b"".join(begin), True
