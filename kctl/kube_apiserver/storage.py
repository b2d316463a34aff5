"""Objects <-> bytes: the only part of kube-apiserver that knows the store.

Keys are /registry/<group>/<plural>/[<namespace>/]<name> (the core group is `core`). The value is the object's JSON without
resourceVersion, which is the key's mod revision. A writer tags its write with its object; the commit's event brings the tag back,
and the very same dict goes into the caches and to every watcher, so nothing is decoded on the way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.caller import LARGE
from kctl.kube_apiserver.watch_cache import FRESH_SECONDS, PREFIX, Batch, Change, Entry, WatchCache, at_revision
from store.errors import Compacted, Conflict, KeyExists, KeyNotFound, StoreClosed, StoreError
from store.etcd import Etcd as Etcd
from store.etcd import Subscription
from store.types import Event, KeyValue

_LOG = logging.getLogger(__name__)
_HISTORY_REVISIONS = 1000
"""How much of the store's history is read at a time."""
LARGEST_VALUE = 4 << 20
"""Bytes of an object's JSON. etcd takes requests of 1.5 MiB, in which the protobuf of most objects is a half to two thirds of that."""


class _Tag(NamedTuple):
    """What the writer of an object tells the listener."""

    cache: WatchCache
    key: str
    object: Object
    size: int
    """Bytes of its JSON."""


class StorageError(Exception):
    """What a write or an old read can fail with; the registry turns it into an API error."""


class Exists(StorageError):
    pass


class Missing(StorageError):
    pass


class Stale(StorageError):
    """The object has changed since it was read."""


class TooOld(StorageError):
    """The revision asked for is compacted; `args[0]` is the oldest one left."""


class Unavailable(StorageError):
    """The store is closed."""


class TooLarge(StorageError):
    """Of an object that etcd would not take, either."""

    def __init__(self) -> None:
        super().__init__("etcdserver: request is too large")


class Damaged(StorageError):
    """What is stored under a key is no object."""

    def __init__(self, key: str, revision: int, why: object) -> None:
        super().__init__(f"the stored value of {key} at revision {revision} cannot be decoded: {why}")
        self.key = key


def _translate(error: StoreError) -> StorageError:
    match error:
        case KeyExists():
            return Exists()
        case KeyNotFound():
            return Missing()
        case Conflict():
            return Stale()
        case Compacted():
            return TooOld(error.compact_revision)
        case StoreClosed():
            return Unavailable(str(error) or "the store is closed")
    return StorageError(f"etcdserver: {error}")


class Storage:
    """All resources. `revision` is what the caches have seen; they are up to date with it."""

    def __init__(self, store: Etcd, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._forgot = 0.0
        self._caches: dict[tuple[str, str], WatchCache] = {}
        self._subscription: Subscription | None = None
        self._before_loading: list[Event] | None = None
        self._closed = False
        self.revision = 0

    async def start(self) -> None:
        """Load every stored object. Afterwards the caches follow the store. Raises StorageError naming the keys that hold none:
        without them controllers would take what is damaged for deleted, and delete what depends on it."""
        early: list[Event] = []
        self._before_loading = early
        self._subscription = self._store.listen(PREFIX, self._on_events)
        found = await self._store.range(PREFIX, PREFIX[:-1] + "0")
        loaded: dict[WatchCache, list[tuple[str, Entry]]] = {}
        damaged: list[Damaged] = []
        for item in found.key_values:
            cache, key = self._locate(item.key)
            try:
                entry = Entry(_decode(item), item.mod_revision)
            except Damaged as error:
                damaged.append(error)
            else:
                loaded.setdefault(cache, []).append((key, entry))
        if damaged:
            raise _all_damaged(damaged)
        self.revision = max(found.revision, 0)
        for cache in self._caches.values():
            cache.load(loaded.get(cache, ()), self.revision)
        self._before_loading = None
        if early:
            self._on_events(early)

    async def close(self) -> None:
        self._closed = True
        if self._subscription is not None:
            self._subscription.close()
        for cache in self._caches.values():
            cache.close()

    @property
    def failure(self) -> str:
        """Why writes fail at present; '' while they succeed."""
        return self._store.failure

    @property
    def shared(self) -> bool:
        """Whether other API servers may write to the same store."""
        return self._store.shared

    async def current(self) -> None:
        """Returns when the caches hold everything that had been written, by whomever, before the call. Raises StorageError."""
        try:
            await self._store.current()
        except StoreError as error:
            raise _translate(error) from error

    @property
    def empty(self) -> bool:
        return not any(cache.entries for cache in self._caches.values())

    def cache(self, group: str, plural: str, namespaced: bool) -> WatchCache:
        """The cache of a resource, made on first use."""
        found = self._caches.get((group or "core", plural))
        if found is None:
            found = self._caches[group or "core", plural] = WatchCache(group, plural, namespaced)
            found.load((), self.revision)
            if self._closed:
                found.close()  # or who watches it from now on would wait for ever
        return found

    def cache_of(self, resource: ResourceType) -> WatchCache:
        return self._caches.get((resource.group or "core", resource.plural)) or self.cache(
            resource.group, resource.plural, resource.namespaced
        )

    def get_cached(self, resource: ResourceType, namespace: str, name: str) -> Object | None:
        entry = self.cache_of(resource).entries.get(f"{namespace}/{name}" if resource.namespaced else name)
        return entry.object if entry is not None else None

    def list_cached(self, resource: ResourceType, namespace: str) -> Iterable[Object]:
        return (entry.object for entry in self.cache_of(resource).unordered(namespace))

    def forget_cache(self, group: str, plural: str) -> None:
        """Of a resource that is no more; its watches end."""
        found = self._caches.pop((group or "core", plural), None)
        if found is not None:
            found.close()

    def caches(self) -> Iterable[WatchCache]:
        return self._caches.values()

    def _locate(self, store_key: str) -> tuple[WatchCache, str]:
        _, _, group, plural, key = store_key.split("/", 4)
        cache = self._caches.get((group, plural))
        if cache is None:
            cache = self.cache("" if group == "core" else group, plural, "/" in key)
        return cache, key

    def _on_events(self, events: Sequence[Event]) -> None:
        if self._before_loading is not None:  # others write to the same store while it is read
            self._before_loading += events
            return
        if events[0].key_value.mod_revision <= self.revision:  # what was read when they were on their way
            events = [event for event in events if event.key_value.mod_revision > self.revision]
            if not events:
                return
        batches: dict[WatchCache, tuple[Batch, dict[str, Entry | None]]] = {}
        for event in events:
            value = event.key_value
            revision = value.mod_revision
            tag = event.tag if type(event.tag) is _Tag else None
            cache, key = (tag.cache, tag.key) if tag is not None else self._locate(value.key)
            found = batches.get(cache)
            if found is None:
                found = batches[cache] = Batch(), {}
            changes, newest = found
            size = tag.size if tag is not None else 0
            if size >= LARGE or key in cache.sizes:
                cache.note_large(key, revision, size)
            known = newest[key] if key in newest else cache.entries.get(key)
            old = known.object if known is not None else None
            if event.type == "DELETE":
                newest[key] = None
                if old is not None:
                    changes.append(Change("DELETED", key, Entry(at_revision(old, revision), revision), old))
            else:
                if tag is not None:
                    obj = tag.object
                    obj["metadata"]["resourceVersion"] = str(revision)  # as _at_revision_in_place does, without a call for each write
                else:
                    obj = _decode(value, cache)
                entry = newest[key] = Entry(obj, revision)
                changes.append(Change("ADDED" if old is None else "MODIFIED", key, entry, old))
        self.revision = events[-1].key_value.mod_revision
        now = self._clock.monotonic()
        for cache, (changes, _) in batches.items():
            if changes:
                cache.apply(changes, now)
        if now - self._forgot > FRESH_SECONDS:  # also of what does not change any more
            self._forgot = now
            for cache in self._caches.values():
                cache.forget(now)

    def _store_key(self, cache: WatchCache, key: str) -> str:
        return f"{cache.store_prefix}{key}"

    async def create(self, cache: WatchCache, key: str, obj: Object) -> Object:
        """Store a new object, whose metadata dict must be the caller's own and have no resourceVersion; the object with
        one. Raises Exists, TooLarge."""
        value = _encode(obj)
        size = len(value)
        if size > LARGEST_VALUE:
            raise TooLarge
        try:
            revision = await self._store.create(self._store_key(cache, key), value, tag=_Tag(cache, key, obj, size))
        except StoreError as error:
            raise _translate(error) from error
        return _at_revision_in_place(obj, revision)

    async def update(self, cache: WatchCache, key: str, obj: Object, revision: int) -> Object:
        """Replace the object that is at `revision`. Raises Stale, Missing, TooLarge."""
        value = _encode(obj)
        size = len(value)
        if size > LARGEST_VALUE:
            raise TooLarge
        try:
            stored = await self._store.update(self._store_key(cache, key), value, revision, tag=_Tag(cache, key, obj, size))
        except StoreError as error:
            raise _translate(error) from error
        return _at_revision_in_place(obj, stored)

    async def delete(self, cache: WatchCache, key: str, revision: int) -> int:
        """Remove the object that is at `revision`. Raises Stale, Missing."""
        try:
            return await self._store.delete(self._store_key(cache, key), revision)
        except StoreError as error:
            raise _translate(error) from error

    async def list_at(self, cache: WatchCache, namespace: str, after: str, revision: int, limit: int) -> tuple[list[Entry], bool]:
        """Up to `limit` entries after the key `after` as they were at `revision`, and whether there are more. Raises TooOld."""
        start, end = self._range(cache, namespace, after)
        try:
            found = await self._store.range(start, end, revision=revision, limit=limit, counted=False)
        except StoreError as error:
            raise _translate(error) from error
        return [Entry(_decode(item, cache), item.mod_revision) for item in found.key_values], found.more

    async def count_at(self, cache: WatchCache, namespace: str, after: str, revision: int) -> int:
        """How many there were after the key `after` at `revision`. Raises TooOld."""
        start, end = self._range(cache, namespace, after)
        try:
            return (await self._store.range(start, end, revision=revision, limit=1)).count
        except StoreError as error:
            raise _translate(error) from error

    def _range(self, cache: WatchCache, namespace: str, after: str) -> tuple[str, str]:
        prefix = self._store_key(cache, f"{namespace}/" if namespace else "")
        return self._store_key(cache, after) + "\0" if after else prefix, prefix[:-1] + "0"

    async def get_at(self, cache: WatchCache, key: str, revision: int) -> Entry | None:
        try:
            found = await self._store.get(self._store_key(cache, key), revision=revision)
        except StoreError as error:
            raise _translate(error) from error
        return Entry(_decode(found, cache), found.mod_revision) if found else None

    def is_compacted(self, revision: int) -> bool:
        """Whether a watch from after `revision` would miss something: the event of the compacted revision itself can still be
        read, but no longer what it replaced, by which selections are judged."""
        return revision < self._store.compact_revision

    async def _with_previous(self, event: Event, seen: dict[str, KeyValue]) -> Event:
        """Stores need not tell the previous value of an event they read from history; selectors and deletions need it."""
        value = event.key_value
        previous = event.previous or seen.get(value.key)
        if previous is None and (event.type == "DELETE" or value.version > 1):
            previous = await self._store.get(value.key, revision=value.mod_revision - 1)
        if event.type == "PUT":
            seen[value.key] = value
        else:
            seen.pop(value.key, None)
        return event._replace(previous=previous)

    async def compact(self, revision: int) -> None:
        """Forget history below `revision`. Raises StorageError."""
        try:
            await self._store.compact(revision)
        except StoreError as error:
            raise _translate(error) from error

    @property
    def compact_revision(self) -> int:
        return self._store.compact_revision

    async def history(self, cache: WatchCache, revision: int) -> list[Change]:
        """All changes after `revision` up to now, read from the store. Raises TooOld."""
        changes: list[Change] = []
        seen: dict[str, KeyValue] = {}
        prefix, newest = self._store_key(cache, ""), self.revision
        try:
            for first in range(revision + 1, newest + 1, _HISTORY_REVISIONS):
                last = min(first + _HISTORY_REVISIONS - 1, newest)
                for event in await self._store.history(prefix, start_revision=first, end_revision=last):
                    complete = await self._with_previous(event, seen)
                    changes.append(_change(complete, self._locate(event.key_value.key)[1], cache))
                await asyncio.sleep(0)  # others' turn: years of history may lie before us
        except StoreError as error:
            raise _translate(error) from error
        except Damaged as error:
            _LOG.error("%s; who watches from before it must list again", error)
            raise TooOld(newest) from error
        return changes


def _encode(obj: Object) -> bytes:
    """orjson leaves several times the length allocated behind what it returns; what is kept must be an exact copy."""
    return bytes(memoryview(orjson.dumps(obj, managed_fields.default)))


def _at_revision_in_place(obj: Object, revision: int) -> Object:
    """Of a written object, by the listener and by its writer, whichever comes first: nobody else has seen it without."""
    obj["metadata"]["resourceVersion"] = str(revision)
    return obj


def _decode(value: KeyValue, cache: WatchCache | None = None) -> Object:
    """As it is read in `cache`. Raises Damaged."""
    try:
        obj: Object = orjson.loads(value.value)
    except ValueError as error:
        raise Damaged(value.key, value.mod_revision, error) from None
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
        raise Damaged(value.key, value.mod_revision, "it is no object with metadata")
    managed_fields.compacted(obj)
    if cache is not None and cache.read is not None:
        obj = cache.read(obj)
    return _at_revision_in_place(obj, value.mod_revision)


def wrong_with(key: str, value: bytes) -> str:
    """Why what is stored under a key is no object; '' where it is one."""
    try:
        _decode(KeyValue(key, value, 1, 1, 1))
    except Damaged as error:
        return str(error).partition("cannot be decoded: ")[2]
    return ""


def _all_damaged(found: Sequence[Damaged]) -> StorageError:
    first, others = found[0], [error.key for error in found[1:]]
    more = f" (and {len(others)} more: {', '.join(others[:10])}{', ...' if len(others) > 10 else ''})" if others else ""
    advice = f"""sqlite-utils state.db "DELETE FROM log WHERE key = '{first.key}'\""""
    return StorageError(f"{first}{more}; restore state.db from a copy, or give the object up: {advice}")


def _change(event: Event, key: str, cache: WatchCache) -> Change:
    value, previous = event.key_value, event.previous
    old = _decode(previous, cache) if previous is not None else None
    if event.type == "DELETE":
        if old is None:
            raise Compacted(value.mod_revision, value.mod_revision)  # a row taken out by hand
        return Change("DELETED", key, Entry(at_revision(old, value.mod_revision), value.mod_revision), old)
    kind = "ADDED" if value.version == 1 else "MODIFIED"
    return Change(kind, key, Entry(_decode(value, cache), value.mod_revision), old)


def memory_store() -> Etcd:
    """A store that keeps nothing, for an API server by itself."""
    from store.memory import MemoryStore

    return MemoryStore()
