"""The transport of components in the daemon: an ApiRequest goes straight into the handler chain. No socket, no JSON: objects go in
and out by reference, watches deliver one batch for each commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from kctl.apimachinery.user import User
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, WatchEvent
from kctl.kube_apiserver import representation
from kctl.kube_apiserver.caller import Body
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.watching import Bookmark, WatchFailure, WatchStream
from kctl.kube_apiserver.request import Request, Response
from kctl.kube_apiserver.serving import Serving
from kctl.kube_apiserver.watch_cache import Change


class InProcessTransport:
    """One user's way in. `form` is that of all bodies."""

    def __init__(self, server: Serving, user: User, form: Body) -> None:
        self._server = server
        self._user = user
        self._form = form
        self._program = user.name.rpartition(":")[2]

    async def request(self, request: ApiRequest) -> ApiResponse:
        inner = Request(
            request.verb,
            request.resource,
            request.namespace,
            request.name,
            request.subresource,
            request.query,
            request.body,
            request.content_type,
            request.accept,
            self._user,
            self._form,
            self._program,
        )
        response = await self._server.handle_in_process(inner)
        if response.object is not None and not request.accept:
            return ApiResponse(response.status, response.object, inner.warnings)
        return self._answer(inner, response)

    def _answer(self, request: Request, response: Response) -> ApiResponse:
        if response.stream is not None:
            return ApiResponse(200, {}, request.warnings, events=self._events(request, response.stream))
        if response.text is not None:
            return ApiResponse(response.status, {}, request.warnings, text=response.text)
        if request.accept:
            shown = representation.in_process(request, response, self._server.now())
            return ApiResponse(response.status, shown, request.warnings)
        if response.listing is not None:
            return ApiResponse(200, response.listing.object(), request.warnings)
        return ApiResponse(response.status, response.object or {}, request.warnings)

    async def _events(self, request: Request, stream: WatchStream) -> AsyncIterator[Sequence[WatchEvent]]:
        show = representation.event_shower(request, stream.endpoint, self._server.now) if request.accept else None
        timer = None
        if stream.options.timeout_seconds:
            timer = self._server.clock.call_later(stream.options.timeout_seconds, stream.close)
        try:
            async for batch in stream:
                if isinstance(batch, WatchFailure):
                    yield [WatchEvent("ERROR", batch.error.status)]
                elif isinstance(batch, Bookmark):
                    yield [WatchEvent("BOOKMARK", batch.object(stream.endpoint))]
                elif show is not None:
                    yield [WatchEvent(change.type, show(change)) for change in batch]
                else:
                    yield events(stream.endpoint, batch)
        finally:
            stream.close()
            if timer is not None:
                timer.cancel()

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        return await self._server.handle_raw(method, path, query or {}, body, headers or {}, self._user)

    async def close(self) -> None:
        return


def events(endpoint: Endpoint, batch: Sequence[Change]) -> list[WatchEvent]:
    if endpoint.converts:
        return [WatchEvent(change[0], endpoint.from_storage(change[2].object)) for change in batch]
    return [WatchEvent(change[0], change[2].object) for change in batch]
