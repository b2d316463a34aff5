"""The transport of components in the daemon: an ApiRequest goes straight into the handler chain. No socket, no JSON: objects go in
and out by reference, watches deliver one batch for each commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import assert_never

from kctl.apimachinery.field_ownership.managed_fields import plain, plain_data
from kctl.apimachinery.status import BadRequest
from kctl.apimachinery.user import User
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, WatchEvent
from kctl.kube_apiserver import representation
from kctl.kube_apiserver.caller import CANONICAL, Body, manager_of
from kctl.kube_apiserver.registry.served_resource import ServedResource
from kctl.kube_apiserver.registry.watch import Bookmark, WatchFailure, WatchStream
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ListAnswer, ObjectAnswer, PassedAnswer, RawAnswer, Response, TextAnswer, UpgradeAnswer, WatchAnswer
from kctl.kube_apiserver.serving import Serving
from kctl.kube_apiserver.watch_cache import Batch, Change


class InProcessTransport:
    """One user's way in. `form` is that of all bodies."""

    def __init__(self, server: Serving, user: User, form: Body) -> None:
        self._server = server
        self._user = user
        self._form = form
        self._program = manager_of(user.name.rpartition(":")[2])

    async def request(self, request: ApiRequest) -> ApiResponse:
        aggregated = self._server.registry.aggregated
        if aggregated is not None and aggregated.way(request.resource.group, request.resource.version) is not None:
            return await self._passed_on(request)
        inner = ResourceRequest(
            request.verb,
            self._server.registry.endpoint(request.resource),
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
        answer = await self._server.handle_in_process(inner)
        match answer:
            case ObjectAnswer() if not request.accept:
                return ApiResponse(answer.status, answer.object if self._form is CANONICAL else plain(answer.object), inner.warnings)
        return self._answer(inner, answer)

    async def _passed_on(self, request: ApiRequest) -> ApiResponse:
        """To the extension API server of that group version."""
        module = await self._server.clock.beside(partial(import_module, "kctl.kube_apiserver.aggregation.in_process"))
        response: ApiResponse = await module.request(self._server, self._user, request)
        return response

    def _answer(self, request: ResourceRequest, answer: Response) -> ApiResponse:
        match answer:
            case ObjectAnswer() | ListAnswer():
                shown = representation.in_process(request, answer, self._server.now())
                if self._form is not CANONICAL:
                    shown = plain_data(shown)
                return ApiResponse(answer.status, shown, request.warnings)
            case WatchAnswer():
                return ApiResponse(answer.status, {}, request.warnings, events=self._events(request, answer.stream))
            case TextAnswer():
                return ApiResponse(answer.status, {}, request.warnings, text=answer.chunks)
            case RawAnswer():  # pods/log of a pod without a node: no content
                return ApiResponse(answer.status, {}, request.warnings)
            case PassedAnswer():
                return ApiResponse(answer.status, {}, request.warnings, text=answer.chunks)
            case UpgradeAnswer():
                raise BadRequest("there is no connection here that could be upgraded")
        assert_never(answer)

    async def _events(self, request: ResourceRequest, stream: WatchStream) -> AsyncIterator[Sequence[WatchEvent]]:
        show = representation.event_shower(request, stream.endpoint, self._server.now) if request.accept else None
        timer = None
        if stream.options.timeout_seconds:
            timer = self._server.clock.machine.call_later(stream.options.timeout_seconds, stream.close)
        try:
            async for batch in stream:
                if isinstance(batch, Bookmark | WatchFailure):
                    yield [_rare(stream.endpoint, batch)]
                elif show is not None:
                    yield [WatchEvent(change.type, plain_data(show(change))) for change in batch]
                elif self._form is CANONICAL:
                    yield events(stream.endpoint, batch)
                else:
                    yield [WatchEvent(event.type, plain(event.object)) for event in events(stream.endpoint, batch)]
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


def _rare(endpoint: ServedResource, event: Bookmark | WatchFailure) -> WatchEvent:
    if isinstance(event, WatchFailure):
        return WatchEvent("ERROR", event.error.status)
    return WatchEvent("BOOKMARK", event.object(endpoint))


def events(endpoint: ServedResource, batch: Sequence[Change]) -> Sequence[WatchEvent]:
    """Of a whole commit the very same ones for every watcher."""
    if endpoint.converts:
        return [WatchEvent(change[0], endpoint.from_storage(change[2].object)) for change in batch]
    if type(batch) is not Batch:
        return [WatchEvent(change[0], change[2].object) for change in batch]
    if batch.told is None:
        batch.told = [WatchEvent(change[0], change[2].object) for change in batch]
    return batch.told
