"""Shared informers: one watch per resource type fills one cache that everybody in a component reads. Other components of the process
have caches of their own, filled by what they themselves may read; the objects in them are the same ones.

Starts with a watch that sends the present state first (sendInitialEvents), or list + watch where the server refuses that;
resumes from the last resourceVersion; relists on 410 Gone. Handlers run synchronously once per event batch, which is one
commit of the store: a controller sees a thousand new pods as one call. `observe` puts the answer of one's own write into
the cache at once, so that a reconciler always reads its own writes, however slow the watch is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from controllers.runtime.indexer import WHOLE, Indexer, IndexFunction, Part
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, BadRequest, Expired, Gone, Invalid, NotFound, from_status
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.transport import WatchEvent

log = logging.getLogger(__name__)

_INITIAL_EVENTS_END = "k8s.io/initial-events-end"
_FIRST_RETRY_SECONDS = 0.8
_MAX_RETRY_SECONDS = 30.0


class Change(NamedTuple):
    """Added: old is None. Deleted: new is None."""

    old: Object | None
    new: Object | None


_T = TypeVar("_T")
_Changes = list[Change]
_Objects = list[Object]
Handler = Callable[[Sequence[Change]], None]


def _revision(obj: Object) -> int:
    try:
        return int(obj["metadata"]["resourceVersion"])
    except (ValueError, KeyError, TypeError):
        return 0


class Informer:
    """The cache of one resource type over all namespaces."""

    def __init__(self, client: Client, clock: Clock, resource: ResourceType) -> None:
        self.resource = resource
        self._client = client
        self._clock = clock
        self._indexer = Indexer()
        self._handlers: list[Handler] = []
        self._last_revision = 0
        self._heard = False
        self._synced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._listed_by_watch = True

    # ---- reading

    @property
    def synced(self) -> bool:
        return self._synced.is_set()

    def __len__(self) -> int:
        return len(self._indexer)

    def get(self, key: str) -> Object | None:
        """'namespace/name', or 'name' for cluster-scoped objects."""
        return self._indexer.get(key)

    def list(self, namespace: str = "") -> Collection[Object]:
        """A live view: copy it before awaiting."""
        return self._indexer.list(namespace)

    def add_index(self, name: str, function: IndexFunction, reads: Part = WHOLE) -> None:
        """See Indexer.add_index."""
        self._indexer.add_index(name, function, reads)

    def by_index(self, name: str, value: str) -> Collection[Object]:
        """A live view of the objects whose index function yields `value`."""
        return self._indexer.by_index(name, value)

    def index_values(self, name: str) -> Collection[str]:
        return self._indexer.index_values(name)

    def add_handler(self, handler: Handler) -> None:
        """`handler` gets the present state as one batch first, where there is any."""
        self._handlers.append(handler)
        if len(self._indexer):
            self._tell((handler,), [Change(None, obj) for obj in self._indexer.list()])

    # ---- the caller's own writes

    def observe(self, written: Iterable[Object]) -> None:
        """Answers of creates and updates, so that they are in the cache before the watch brings them."""
        changes: _Changes = []
        for obj in written:
            if _revision(obj) > self._last_revision:
                self._put(obj, changes)
        self._deliver(changes)

    def observe_deleted(self, key: str, uid: str) -> None:
        """An object the server said is gone, so that it is not found before the watch says so."""
        present = self._indexer.get(key)
        if present is not None and objects.uid(present) == uid:
            self._indexer.remove(key)
            self._deliver([Change(present, None)])

    # ---- running

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"informer {self.resource.group_resource}")

    async def wait_for_sync(self) -> None:
        await self._synced.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        retry_seconds = _FIRST_RETRY_SECONDS
        while True:
            try:
                self._heard = False
                if self._last_revision:
                    await self._follow(await self._watch(str(self._last_revision)))
                else:
                    await self._list_and_follow()
                retry_seconds = _FIRST_RETRY_SECONDS
                if not self._heard:  # a server that stops ends every watch at once
                    await self._clock.sleep(_FIRST_RETRY_SECONDS)
            except (Gone, Expired):
                self._last_revision = 0
            except (ApiError, ConnectionFailed) as error:
                if isinstance(error, NotFound):  # the kind is not served (--runtime-config): nobody need wait for its objects
                    self._synced.set()
                log.warning("watch of %s: %s; again in %.1f s", self.resource.group_resource, error, retry_seconds)
                await self._clock.sleep(retry_seconds)
                retry_seconds = min(retry_seconds * 2, _MAX_RETRY_SECONDS)

    async def _watch(self, resource_version: str, *, initial: bool = False) -> AsyncIterator[Sequence[WatchEvent]]:
        return await self._client.watch(self.resource, resource_version=resource_version, send_initial_events=initial, allow_bookmarks=True)

    async def _list_and_follow(self) -> None:
        if self._listed_by_watch:
            try:
                events = await self._watch("", initial=True)
            except (BadRequest, Invalid):
                self._listed_by_watch = False
            else:
                await self._follow(events, initial=True)
                self._listed_by_watch = bool(self._last_revision)  # or it ended before the present state was complete
                return
        answer = await self._client.list(self.resource)
        api_version, kind = self.resource.api_version, self.resource.kind
        items = [{"apiVersion": api_version, "kind": kind, **item} for item in answer.get("items") or ()]
        self._replace(items, _revision(answer))
        await self._follow(await self._watch(str(self._last_revision)))

    async def _follow(self, events: AsyncIterator[Sequence[WatchEvent]], *, initial: bool = False) -> None:
        """Until the server ends the watch. Raises what an ERROR event says."""
        gathered: _Objects | None = [] if initial else None
        try:
            async for batch in events:
                self._heard = True
                if gathered is not None:
                    rest = self._gather(batch, gathered)
                    if rest is None:
                        continue
                    gathered, batch = None, rest
                self._apply(batch)
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                with contextlib.suppress(RuntimeError):
                    await close()

    def _gather(self, batch: Sequence[WatchEvent], gathered: _Objects) -> Sequence[WatchEvent] | None:
        """Collects the present state; once it is complete returns the events after it."""
        for position, event in enumerate(batch):
            if event.type == "ERROR":
                raise from_status(event.object)
            if event.type != "BOOKMARK":
                gathered.append(event.object)
            elif objects.annotations(event.object).get(_INITIAL_EVENTS_END) == "true":
                self._replace(gathered, _revision(event.object))
                return batch[position + 1 :]
        return None

    def _replace(self, items: Sequence[Object], revision: int) -> None:
        """A complete list: what is not in it is gone, unless it was written after the list was made (see `observe`), which may be on its
        way for long."""
        changes: _Changes = []
        present = {objects.key(item) for item in items}
        gone = [key for key, obj in self._indexer.items.items() if key not in present and _revision(obj) <= revision]
        for key in gone:
            changes.append(Change(self._indexer.remove(key), None))
        for item in items:
            self._put(item, changes)
        self._last_revision = max(revision, 1)
        self._deliver(changes)
        self._synced.set()

    def _apply(self, batch: Sequence[WatchEvent]) -> None:
        changes: _Changes = []
        failure: ApiError | None = None
        last: Object | None = None
        for kind, obj in batch:
            if kind == "MODIFIED" or kind == "ADDED":
                self._put(obj, changes)
            elif kind == "ERROR":
                failure = from_status(obj)
                break
            elif kind == "DELETED":
                key = objects.key(obj)
                old = self._indexer.get(key)
                if old is not None and _revision(old) <= _revision(obj):
                    # As it was in the cache, so that handlers can take back what they counted for it.
                    changes.append(Change(self._indexer.remove(key), None))
            last = obj
        if last is not None:  # the batch is in the order of revisions
            self._last_revision = max(self._last_revision, _revision(last))
        self._deliver(changes)
        if failure is not None:
            raise failure

    def _put(self, obj: Object, changes: _Changes) -> None:
        meta = obj["metadata"]  # three caches of pods come by here with every change of one: as few calls as can be
        space = meta.get("namespace")
        key = f"{space}/{meta['name']}" if space else meta["name"]
        old = self._indexer.items.get(key)
        if old is not None:
            before = old["metadata"]
            if old is obj or int(meta.get("resourceVersion") or 0) <= int(before.get("resourceVersion") or 0):
                return  # already observed
            if before.get("uid") != meta.get("uid"):
                # Deleted and created again between two looks: two changes, so that nobody mixes up two objects.
                self._indexer.remove(key)
                changes.append(Change(old, None))
                old = None
        self._indexer.put(key, old, obj)
        changes.append(Change(old, obj))

    def _deliver(self, changes: Sequence[Change]) -> None:
        if changes:
            self._tell(self._handlers, changes)

    def _tell(self, handlers: Iterable[Handler], changes: Sequence[Change]) -> None:
        for handler in handlers:
            try:
                handler(changes)
            except Exception:
                log.exception("handler of %s failed", self.resource.group_resource)


class InformerFactory:
    """A component's informers: one per resource type, however many ask for it, all reading as the client's user."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._informers: dict[ResourceType, Informer] = {}
        self._asked: dict[ResourceType, Informer] | None = None

    def informer(self, resource: ResourceType) -> Informer:
        found = self._informers.get(resource)
        if found is None:
            found = self._informers[resource] = Informer(self._client, self._clock, resource)
        if self._asked is not None:
            self._asked[resource] = found
        return found

    def asked_for(self, work: Callable[[], _T]) -> tuple[_T, list[Informer]]:
        """What `work` returns, and the informers it asked for: those to wait for, and no other that may never fill."""
        self._asked = {}
        try:
            return work(), list(self._asked.values())
        finally:
            self._asked = None

    async def start(self) -> None:
        """Starts the informers asked for since the last call and waits until all are filled."""
        for informer in self._informers.values():
            informer.start()
        await asyncio.gather(*(informer.wait_for_sync() for informer in self._informers.values()))

    async def stop(self) -> None:
        await asyncio.gather(*(informer.stop() for informer in self._informers.values()))

    async def remove(self, resource: ResourceType) -> None:
        """Stops one informer, e.g. of a custom resource whose definition is gone."""
        found = self._informers.pop(resource, None)
        if found is not None:
            await found.stop()
