"""A component's request on a group version of an extension API server: over the same way as one that came over HTTPS, its answer taken
apart again. So namespaces are emptied of such objects, garbage is collected among them, and quotas count them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from kctl.apimachinery.status import InternalError
from kctl.apimachinery.user import User
from kctl.client import http_codec
from kctl.client.transport import ApiRequest, ApiResponse, WatchEvent
from kctl.kube_apiserver import answer_encoding, http
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.request_info import resolve
from kctl.kube_apiserver.response import ObjectAnswer, PassedAnswer, RawAnswer
from kctl.kube_apiserver.serving import Serving

_LARGEST_ANSWER = 256 * 1024 * 1024


async def request(server: Serving, user: User, asked: ApiRequest) -> ApiResponse:
    """Raises ApiError where it is refused, or the extension server does not answer."""
    target, headers, body = http_codec.encode(asked)
    wire = http.wire_request(http_codec.METHODS[asked.verb], target, {name.lower(): value for name, value in headers})
    wire.raw_body, wire.user = body or b"", user
    passed = resolve(wire, server.registry)
    answer = await server.handle(passed)
    if isinstance(answer, PassedAnswer):
        if asked.verb == "watch" and answer.status < 400:
            return ApiResponse(answer.status, warnings=passed.warnings, events=_events(passed, answer.chunks))
        try:
            data = await _whole(answer.chunks)
        finally:
            passed.answered()
    else:
        passed.answered()
        assert isinstance(answer, ObjectAnswer | RawAnswer), answer
        data = answer_encoding.encode(passed, answer, server.now())[2]
    found = http_codec.decode_object(data, answer.status)
    if answer.status >= 400:
        raise http_codec.error(found, data, answer.status)
    return ApiResponse(answer.status, found, passed.warnings)


async def _whole(chunks: AsyncIterator[bytes]) -> bytes:
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > _LARGEST_ANSWER:
            raise InternalError("the answer of an extension API server is too large")
    return bytes(data)


async def _events(passed: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[Sequence[WatchEvent]]:
    lines = http_codec.WatchLines()
    try:
        async with aclosing(chunks) as parts:  # type: ignore[type-var]
            async for part in parts:
                if batch := lines.feed(part):
                    yield batch
    finally:
        passed.answered()
