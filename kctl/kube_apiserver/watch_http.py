"""A watch as a stream of JSON lines: one event each, the object's JSON shared with every other watcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial

import orjson

from kctl.apimachinery.field_ownership.managed_fields import default
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver import representation
from kctl.kube_apiserver.registry.watch import Batch, Bookmark, WatchFailure, WatchStream
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.serving import Serving
from kctl.kube_apiserver.watch_cache import Change

CHUNK_BYTES = 64 * 1024
BOOKMARK_SECONDS = 60.0
LONGEST_SECONDS = (1800, 3600)
"""A watch without timeoutSeconds ends after a random time in between, as upstream's --min-request-timeout."""
_HEADS = {kind: f'{{"type":"{kind}","object":'.encode() for kind in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")}


def _line(kind: str, obj: Object) -> bytes:
    return _HEADS[kind] + orjson.dumps(obj, default) + b"}\n"


async def watch_lines(server: Serving, request: Request, stream: WatchStream) -> AsyncIterator[bytes]:
    """Chunks of whole lines. The stream is closed in any case."""
    endpoint = stream.endpoint
    show = representation.event_shower(request, endpoint, server.now) if request.accept else None
    timeout = stream.options.timeout_seconds or server.registry.randomness.randint(*LONGEST_SECONDS)
    timers = [server.clock.machine.call_later(timeout, stream.close)]
    bookmarks = _Bookmarks(server, stream) if stream.options.allow_bookmarks else None
    source = stream.__aiter__()
    step: asyncio.Task[Batch] | None = None
    try:
        while True:
            if bookmarks is None:
                try:
                    batch = await source.__anext__()
                except StopAsyncIteration:
                    return
            else:
                if step is None:
                    step = asyncio.ensure_future(_next(source))
                found = await bookmarks.wait(step)
                if found is not None:
                    yield found
                    continue
                if step.exception() is not None:
                    return
                batch, step = step.result(), None
            for chunk in _chunks(encode_batch(stream, batch, show)):
                yield chunk
                if len(chunk) >= CHUNK_BYTES:
                    await asyncio.sleep(0)
            if isinstance(batch, WatchFailure):
                return
    finally:
        for timer in timers:
            timer.cancel()
        if step is not None:
            step.cancel()
        stream.close()


async def _next(source: AsyncIterator[Batch]) -> Batch:
    try:
        return await source.__anext__()
    except StopAsyncIteration:
        raise EOFError from None


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """So that a watch of everything holds neither the loop nor a copy of everything."""
    found, size = [], 0
    for line in lines:
        found.append(line)
        size += len(line)
        if size >= CHUNK_BYTES:
            yield b"".join(found)
            found, size = [], 0
    if found:
        yield b"".join(found)


def encode_batch(stream: WatchStream, batch: Batch, show: Callable[[Change], Object] | None) -> Iterator[bytes]:
    endpoint = stream.endpoint
    if isinstance(batch, WatchFailure):
        return iter((_line("ERROR", batch.error.status),))
    if isinstance(batch, Bookmark):
        return iter((_line("BOOKMARK", batch.object(endpoint)),))
    if show is not None:
        return (_line(change.type, show(change)) for change in batch)
    if endpoint.converts and (endpoint.conversion is not None or endpoint.custom):
        return (_line(change.type, endpoint.from_storage(change.entry.object)) for change in batch)
    prefix = endpoint.type_prefix
    return (_HEADS[change.type] + change.entry.encoded(prefix) + b"}\n" for change in batch)


class _Bookmarks:
    """Every minute a quiet watch is told how far it is."""

    def __init__(self, server: Serving, stream: WatchStream) -> None:
        self._server = server
        self._stream = stream
        self._sent = stream.revision

    async def wait(self, step: asyncio.Task[Batch]) -> bytes | None:
        """A bookmark to send, or None when `step` is done."""
        while True:
            quiet = asyncio.get_running_loop().create_future()
            timer = self._server.clock.machine.call_later(BOOKMARK_SECONDS, partial(quiet.set_result, None))
            try:
                await asyncio.wait((step, quiet), return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
            if step.done():
                return None
            revision = self._stream.revision
            if revision != self._sent and not step.done():
                self._sent = revision
                return _line("BOOKMARK", Bookmark(revision).object(self._stream.endpoint))
