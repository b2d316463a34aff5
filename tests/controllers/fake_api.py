"""A transport that keeps objects in a dict, for tests of the controller runtime that want to script the server's misbehaviour."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import BadRequest, already_exists, not_found
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, WatchEvent


class FakeApi:
    """Serves create, get, list, update, merge patch, delete and watch. `close_watches` ends them, `expire` makes old
    revisions 410."""

    def __init__(self, *, initial_events: bool = True) -> None:
        self.items: dict[tuple[ResourceType, str], Object] = {}
        self.log: list[tuple[int, ResourceType, WatchEvent]] = []
        self.requests: list[ApiRequest] = []
        self.initial_events = initial_events
        self.watchers: set[asyncio.Queue[Sequence[WatchEvent] | None]] = set()
        self.watched: dict[int, ResourceType] = {}
        self.oldest = 0
        self._revision = itertools.count(11)
        self.revision = 10

    async def request(self, request: ApiRequest) -> ApiResponse:
        self.requests.append(request)
        await asyncio.sleep(0)
        key = f"{request.namespace}/{request.name}" if request.namespace else request.name
        present = self.items.get((request.resource, key))
        if request.verb in ("get", "update", "patch", "delete") and present is None:
            raise not_found(request.resource.group, request.resource.plural, request.name)
        match request.verb:
            case "list":
                found = [obj for (kind, _), obj in self.items.items() if kind == request.resource]
                return ApiResponse(200, {"metadata": {"resourceVersion": str(self.revision)}, "items": found})
            case "watch":
                if request.query.get("sendInitialEvents") and not self.initial_events:
                    raise BadRequest("sendInitialEvents is not known")
                return ApiResponse(200, events=self._watch(request))
            case "create":
                name = objects.name(request.body)
                key = f"{request.namespace}/{name}" if request.namespace else name
                if (request.resource, key) in self.items:
                    raise already_exists(request.resource.group, request.resource.plural, name)
                meta = {"namespace": request.namespace} if request.namespace else {}
                obj = objects.with_metadata(request.body, **meta, uid=f"uid-{self.revision + 1}")
                return ApiResponse(201, self.put(request.resource, obj, "ADDED"))
            case "update":
                return ApiResponse(200, self.put(request.resource, request.body, "MODIFIED"))
            case "patch":
                return ApiResponse(200, self.put(request.resource, {**present, **request.body}, "MODIFIED"))
            case "delete":
                return ApiResponse(200, self.remove(request.resource, key))
        raise NotImplementedError(request.verb)

    def put(self, resource: ResourceType, obj: Object, event: str = "ADDED") -> Object:
        self.revision = next(self._revision)
        stored = objects.with_metadata(obj, resourceVersion=str(self.revision))
        self.items[resource, objects.key(stored)] = stored
        self._publish(resource, WatchEvent(event, stored))
        return stored

    def remove(self, resource: ResourceType, key: str) -> Object:
        self.revision = next(self._revision)
        stored = objects.with_metadata(self.items.pop((resource, key)), resourceVersion=str(self.revision))
        self._publish(resource, WatchEvent("DELETED", stored))
        return stored

    def close_watches(self) -> None:
        for queue in self.watchers:
            queue.put_nowait(None)

    def expire(self) -> None:
        self.oldest = self.revision

    def _publish(self, resource: ResourceType, event: WatchEvent) -> None:
        self.log.append((self.revision, resource, event))
        for queue in self.watchers:
            if self.watched[id(queue)] == resource:
                queue.put_nowait([event])

    async def _watch(self, request: ApiRequest) -> AsyncIterator[Sequence[WatchEvent]]:
        queue: asyncio.Queue[Sequence[WatchEvent] | None] = asyncio.Queue()
        self.watched[id(queue)] = request.resource
        since = int(request.query.get("resourceVersion") or self.revision)
        if request.query.get("sendInitialEvents"):
            present = [obj for (kind, _), obj in self.items.items() if kind == request.resource]
            queue.put_nowait([WatchEvent("ADDED", obj) for obj in present])
            meta = {"resourceVersion": str(self.revision), "annotations": {"k8s.io/initial-events-end": "true"}}
            queue.put_nowait([WatchEvent("BOOKMARK", {"metadata": meta})])
        elif since < self.oldest:
            gone = {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old"}
            queue.put_nowait([WatchEvent("ERROR", gone)])
        else:
            for revision, resource, event in self.log:
                if revision > since and resource == request.resource:
                    queue.put_nowait([event])
        self.watchers.add(queue)
        try:
            while (batch := await queue.get()) is not None:
                yield batch
        finally:
            self.watchers.discard(queue)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        raise NotImplementedError

    async def close(self) -> None: ...


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
