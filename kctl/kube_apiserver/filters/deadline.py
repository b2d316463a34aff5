"""The `timeout` parameter: how long the caller wants to wait (watches have their own, timeoutSeconds)."""

from __future__ import annotations

from collections.abc import Awaitable

from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock, timeout
from kctl.apimachinery.status import BadRequest, Timeout
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response


def with_deadline(handler: Handler, clock: Clock) -> Handler:
    def limit(request: Request) -> Awaitable[Response]:
        query = request.query
        if not query or not (text := query.get("timeout")) or request.verb in ("watch", "connect"):
            return handler(request)
        try:
            seconds = times.parse_duration(text)
        except ValueError as error:
            raise BadRequest(f"invalid timeout specified in the request URL - {error}") from None
        return handler(request) if seconds <= 0 else within(request, seconds)

    async def within(request: Request, seconds: float) -> Response:
        try:
            async with timeout(clock, seconds):
                return await handler(request)
        except TimeoutError:
            raise Timeout("Timeout: request did not complete within the allotted timeout") from None

    return limit
