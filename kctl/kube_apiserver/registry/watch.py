"""WATCH: present state or history first, then what happens, in batches of one commit each.

The stream yields the caches' own `Change`s; whoever serves it turns them into events (in-process: objects, HTTP: bytes).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, Expired
from kctl.kube_apiserver.registry.get import too_large
from kctl.kube_apiserver.registry.list_options import ListOptions
from kctl.kube_apiserver.registry.selection import select
from kctl.kube_apiserver.registry.served_resource import ServedResource
from kctl.kube_apiserver.storage import StorageError, TooOld
from kctl.kube_apiserver.watch_cache import Change, Entry, Watcher

_AT_ONCE = 2000
"""Objects of the present state that are looked at before others have their turn."""


@dataclass(slots=True)
class Bookmark:
    """Says how far the stream is. `initial_end`: all of the present state has been sent."""

    revision: int
    initial_end: bool = False

    def object(self, endpoint: ServedResource) -> Object:
        meta: Object = {"resourceVersion": str(self.revision)}
        if self.initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        resource = endpoint.resource
        return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}


@dataclass(slots=True)
class WatchFailure:
    """The watch cannot go on; the last item of the stream."""

    error: ApiError


Batch = Sequence[Change] | Bookmark | WatchFailure


class WatchStream:
    """`async for batch in stream`; `close()` ends it from outside. Nothing is missed between the catching up and the
    live part, because the watcher subscribes before the catching up is computed."""

    def __init__(
        self,
        endpoint: ServedResource,
        namespace: str,
        options: ListOptions,
        name: str = "",
        *,
        remote: bool = False,
    ) -> None:
        selection = select(endpoint, namespace, options, name)
        self.endpoint = endpoint
        self.options = options
        self._selection = selection
        self._watcher: Watcher = endpoint.cache.subscribe(selection.matches, selection.key_prefix, remote)
        self._present: list[Entry] = []
        """What is to be told as the present state, as it was when the watch began."""
        self._start = self._begin()

    @property
    def revision(self) -> int:
        """Everything up to here has been sent, once the queue is empty."""
        return self.endpoint.storage.revision

    def _begin(self) -> list[Batch]:
        """What can be said at once; an empty list where history must be read."""
        options, cache, storage = self.options, self.endpoint.cache, self.endpoint.storage
        wants_state = options.send_initial_events or (options.revision == 0 and options.send_initial_events is None)
        if options.revision > storage.revision:
            return [WatchFailure(too_large(options.revision, storage.revision))]
        if wants_state:
            return self._state()
        if options.revision == 0:
            return [()]
        since = cache.since(options.revision)
        return [] if since is None else [self._watcher.filter(since)]

    def _state(self) -> list[Batch]:
        """What comes after the present state."""
        self._present = self.endpoint.cache.list(self._selection.namespace)
        if self.options.send_initial_events and self.options.allow_bookmarks:
            return [Bookmark(self.endpoint.storage.revision, True)]
        return [()]

    async def _tell_present(self) -> AsyncIterator[Sequence[Change]]:
        """Some at a time: others have their turn in between."""
        matches, present = self._selection.matches, self._present
        self._present = []
        for start in range(0, len(present), _AT_ONCE):
            if start:
                await asyncio.sleep(0)
            some = present[start : start + _AT_ONCE]
            told = [Change("ADDED", "", entry, None) for entry in some if matches is None or matches(entry.object)]
            if told:
                yield told

    async def _history(self) -> Batch:
        """Changes older than the window. What happens meanwhile waits in the watcher; its overlap is cut off."""
        storage, revision = self.endpoint.storage, self.options.revision
        if storage.is_compacted(revision):
            return WatchFailure(self._too_old())
        try:
            changes = await storage.history(self.endpoint.cache, revision)
        except TooOld:
            return WatchFailure(self._too_old())
        except StorageError as error:
            return WatchFailure(ApiError(str(error), code=500))
        return self._watcher.filter(changes)

    def _too_old(self) -> Expired:
        compacted = self.endpoint.storage.compact_revision
        return Expired(f"too old resource version: {self.options.revision} ({compacted})")

    async def __aiter__(self) -> AsyncIterator[Batch]:
        seen = 0
        try:
            if not self._start:
                self._start = [await self._history()]
            if self._present:  # all of it older than what waits in the watcher
                async for told in self._tell_present():
                    yield told
            for batch in self._start:
                if isinstance(batch, WatchFailure):
                    yield batch
                    return
                if isinstance(batch, Bookmark) or batch:
                    yield batch
                if not isinstance(batch, Bookmark) and batch:
                    seen = max(seen, batch[-1].entry.revision)
            if self.options.ends_with_history:
                return
            while True:
                changes = await self._watcher.next()
                if changes is None:
                    return
                if seen and changes[0].entry.revision <= seen:
                    changes = [change for change in changes if change.entry.revision > seen]
                if changes:
                    yield changes
        finally:
            self._watcher.close()

    def on_cut(self, tell: Callable[[], None]) -> None:
        """`tell` is called when the watch ends because its reader is too slow; what was waiting is dropped."""
        self._watcher.on_cut = tell

    def close(self) -> None:
        self._watcher.close()


class Watch(ServedResource):
    def watch(self, namespace: str, options: ListOptions, name: str = "", *, remote: bool = False) -> WatchStream:
        """`name` is the one object that is meant, if any; a `remote` reader may be too slow and is cut off then. Raises BadRequest."""
        return WatchStream(self, namespace, options, name, remote=remote)
