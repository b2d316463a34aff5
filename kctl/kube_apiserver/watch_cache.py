"""The state of one resource in memory: its objects, its recent changes, and who watches them (upstream's cacher).

Objects are the very dicts the writer made; every reader, watcher and informer shares them. The JSON of a revision is made at
most once, without kind and apiVersion: list items have none, and whoever needs them puts them in front (`Entry.encoded`).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from kctl.apimachinery.field_ownership.managed_fields import default
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.caller import LARGE

PREFIX = "/registry/"
WINDOW, SMALLEST_WINDOW = 2000, 100
"""Changes kept for watches that begin in the past; older ones are read from the store's history."""
FRESH_SECONDS = 75.0
"""As upstream: a little more than from one bookmark to the next. What is older goes, but for the smallest window; so a burst of changes
does not hold its objects for ever."""
WINDOW_BYTES = 16 << 20
"""Of large changes in the window, in JSON: what is older is read from the store, too."""
MAX_BACKLOG = 50_000
"""Changes a watcher may lag behind before its watch is ended (it resumes or lists again)."""
MAX_BACKLOG_BYTES = 16 << 20
"""The same for one on the network, in JSON. Watchers that lag behind together share what they wait for."""


class Entry:
    """One object at one revision, with its encoding made on first demand."""

    __slots__ = ("_item", "object", "revision")

    def __init__(self, obj: Object, revision: int) -> None:
        self.object = obj
        self.revision = revision
        self._item: bytes | None = None

    def item(self) -> bytes:
        """JSON without kind and apiVersion, as a typed list carries its items."""
        if self._item is None:
            item = orjson.dumps({k: v for k, v in self.object.items() if k != "kind" and k != "apiVersion"}, default)
            self._item = bytes(memoryview(item))  # an exact copy: orjson leaves several times its length allocated
        return self._item

    def replace(self, obj: Object) -> None:
        """The same revision of the object, read anew by another schema."""
        self.object = obj
        self._item = None

    def encoded(self, type_prefix: bytes) -> bytes:
        """`type_prefix` is `{"kind":"Pod","apiVersion":"v1",`"""
        return type_prefix + self.item()[1:]


class Change(NamedTuple):
    """One committed change. `type`: ADDED, MODIFIED, DELETED; a deleted entry is the last state with the revision of the
    deletion. `old` is the state before (None for ADDED)."""

    type: str
    key: str
    entry: Entry
    old: Object | None


class Batch(list[Change]):
    """The changes of one commit to one resource, as whoever watches all of them gets them. `told`: what components in the process are
    told of it, made once for all of them."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told: Sequence[Any] | None = None


Predicate = Callable[[Object], bool]


class Watcher:
    """A queue of batches of changes, already filtered. Iterate it; `close()` ends the iteration. One that lags too far behind is cut
    off: what waits is dropped, and `on_cut` told. `remote`: its backlog is bounded in bytes too."""

    def __init__(self, cache: WatchCache, matches: Predicate | None, prefix: str, remote: bool = False) -> None:
        self._cache = cache
        self._matches = matches
        self._prefix = prefix
        self._batches: deque[tuple[Sequence[Change], int]] = deque()
        self._backlog = 0
        self._remote = remote
        self._bytes = 0
        self.on_cut: Callable[[], None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.closed = False

    def push(self, changes: Sequence[Change]) -> None:
        kept = self.filter(changes) if self._matches is not None or self._prefix else changes
        if not kept or self.closed:
            return
        # Not what comes while nothing waits: it is sent at once, and often not as JSON of its own.
        size = sum(len(change.entry.item()) for change in kept) if self._remote and self._batches else 0
        self._batches.append((kept, size))
        self._backlog += len(kept)
        self._bytes += size
        if self._backlog > MAX_BACKLOG or self._bytes > MAX_BACKLOG_BYTES:
            self._cut_off()
        elif self._waiter is not None:
            self._wake()

    def filter(self, changes: Iterable[Change]) -> list[Change]:
        """What this watcher sees of `changes`: an object that leaves its selection is DELETED, one that enters ADDED."""
        kept: list[Change] = []
        matches, prefix = self._matches, self._prefix
        for change in changes:
            if prefix and not change.key.startswith(prefix):
                continue
            if matches is None:
                kept.append(change)
                continue
            seen = _transition(change, matches)
            if seen is not None:
                kept.append(seen)
        return kept

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _cut_off(self) -> None:
        self._batches.clear()
        self.close()
        if self.on_cut is not None:
            self.on_cut()

    def close(self) -> None:
        self.closed = True
        self._cache.unsubscribe(self)
        self._wake()

    async def next(self) -> Sequence[Change] | None:
        """The next batch; None when the watch is over."""
        while not self._batches:
            if self.closed:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        batch, size = self._batches.popleft()
        self._backlog -= len(batch)
        self._bytes -= size
        return batch


def _transition(change: Change, matches: Predicate) -> Change | None:
    """A change as a selection sees it; None where it has nothing to do with it."""
    was = change.old is not None and matches(change.old)
    if change.type == "DELETED":
        return change if was else None
    if matches(change.entry.object):
        return change if was == (change.type == "MODIFIED") else change._replace(type="MODIFIED" if was else "ADDED")
    if not was or change.old is None:
        return None
    return Change("DELETED", change.key, Entry(at_revision(change.old, change.entry.revision), change.entry.revision), None)


def at_revision(obj: Object, revision: int) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}


class WatchCache:
    """All objects of one resource. Keys are 'namespace/name' or 'name'."""

    def __init__(self, group: str, plural: str, namespaced: bool) -> None:
        self.group = group
        self.plural = plural
        self.namespaced = namespaced
        self.store_prefix = f"{PREFIX}{group or 'core'}/{plural}/"
        """Of the store's keys."""
        self.entries: dict[str, Entry] = {}
        self._by_namespace: dict[str, dict[str, Entry]] = {}
        self._order: list[str] | None = None
        """All keys in the store's order, once somebody has asked; replaced, never changed. It lacks what `_moved` says."""
        self._moved: set[str] = set()
        self._window: deque[Change] = deque()
        self._times: deque[float] = deque()
        """When each change of the window came."""
        self._window_start = 0
        self._large: deque[tuple[int, int]] = deque()
        """Revision and size of the large changes in the window."""
        self._large_bytes = 0
        self.sizes: dict[str, int] = {}
        """Of the large objects, by key."""
        self.last_revision = 0
        """No change of this resource is newer: the revision of its newest one, or the store's where none has happened since the
        start (what is gone by then left no entry to tell)."""
        self._watchers: list[Watcher] = []
        self._followers: list[Callable[[Sequence[Change]], None]] = []
        self._closed = False
        self.read: Callable[[Object], Object] | None = None
        """What is done to a stored object when it is read; None for built-in kinds, whose types do not change while the server runs."""

    def load(self, entries: Iterable[tuple[str, Entry]], revision: int) -> None:
        """The state at start; changes up to `revision` are only in the store's history."""
        for key, entry in entries:
            self._put(key, entry)
        self._window_start = self.last_revision = revision

    def forget_all(self) -> None:
        """As it was made: before `load` is called anew."""
        self.entries = {}
        self._by_namespace = {}
        self._order = None
        self._moved = set()
        self._window.clear()
        self._times.clear()
        self._large.clear()
        self._large_bytes = 0
        self.sizes.clear()

    def _put(self, key: str, entry: Entry) -> None:
        self.entries[key] = entry
        namespace, _, _ = key.rpartition("/")
        if namespace:
            self._by_namespace.setdefault(namespace, {})[key] = entry

    def _drop(self, key: str) -> None:
        self.entries.pop(key, None)
        namespace, _, _ = key.rpartition("/")
        if namespace:
            inside = self._by_namespace.get(namespace)
            if inside is not None:
                inside.pop(key, None)
                if not inside:
                    del self._by_namespace[namespace]

    def apply(self, changes: Sequence[Change], now: float = 0.0) -> None:
        """Take over one commit's changes and hand them to the watchers. `now`: of any clock that is always the same."""
        for change in changes:
            if change.type == "DELETED":
                self._drop(change.key)
            else:
                self._put(change.key, change.entry)
            if change.type != "MODIFIED":
                self._note_order(change.key)
        self._window.extend(changes)
        self._times.extend([now] * len(changes))
        self.forget(now)
        self.last_revision = changes[-1].entry.revision
        for follower in self._followers:
            follower(changes)
        for watcher in tuple(self._watchers):
            watcher.push(changes)

    def note_large(self, key: str, revision: int, size: int) -> None:
        """A change that is applied next makes an object large, or takes the place of a large one, which the window then keeps. `size` in
        bytes of JSON; 0 of what is deleted."""
        held = max(size, self.sizes.pop(key, 0))
        if size >= LARGE:
            self.sizes[key] = size
        self._large.append((revision, held))
        self._large_bytes += held

    def forget(self, now: float) -> None:
        """Changes that are too many, too old or too large."""
        window, times = self._window, self._times
        length, oldest = len(window), now - FRESH_SECONDS
        while length > WINDOW or (length > SMALLEST_WINDOW and times[0] < oldest) or self._large_bytes > WINDOW_BYTES:
            length -= 1
            self._window_start = window.popleft().entry.revision
            times.popleft()
            if self._large and self._large[0][0] <= self._window_start:
                self._large_bytes -= self._large.popleft()[1]

    def _note_order(self, key: str) -> None:
        """`key` has come or gone."""
        if self._order is None:
            return
        self._moved.add(key)
        if len(self._moved) > len(self._order) + WINDOW:  # nobody lists any more
            self._order = None
            self._moved.clear()

    def _ordered(self) -> list[str]:
        order, moved = self._order, self._moved
        if order is None:
            order = sorted(self.entries)
        elif moved:
            order = [key for key in order if key not in moved]
            order += sorted(key for key in moved if key in self.entries)
            order.sort()  # two runs, which costs one comparison for each key
            self._moved = set()
        self._order = order
        return order

    def keys(self, namespace: str = "", after: str = "") -> tuple[Sequence[str], int, int]:
        """All keys in the store's order (by namespace, then name), and from where to where they are of `namespace` ('' = all) and
        after the key `after`. The sequence stays as it is, whatever comes."""
        order = self._ordered()
        first = bisect_left(order, f"{namespace}/") if namespace else 0
        last = bisect_left(order, f"{namespace}0", first) if namespace else len(order)
        return order, max(first, bisect_right(order, after, first, last)) if after else first, last

    def list(self, namespace: str = "", after: str = "") -> list[Entry]:
        """In key order, those after the key `after`."""
        order, first, last = self.keys(namespace, after)
        entries = self.entries
        return [entries[key] for key in (order if last - first == len(order) else order[first:last])]

    def unordered(self, namespace: str = "") -> Iterable[Entry]:
        return (self._by_namespace.get(namespace, {}) if namespace else self.entries).values()

    def count(self, namespace: str = "") -> int:
        return len(self._by_namespace.get(namespace, ())) if namespace else len(self.entries)

    def since(self, revision: int) -> Sequence[Change] | None:
        """All changes after `revision`; None where the window does not reach back so far."""
        if revision < self._window_start:
            return None
        if revision >= self.last_revision:
            return ()
        return [change for change in self._window if change.entry.revision > revision]

    def subscribe(self, matches: Predicate | None, prefix: str, remote: bool = False) -> Watcher:
        """A watcher of every change from now on; `prefix` selects keys ('namespace/' or a whole key)."""
        watcher = Watcher(self, matches, prefix, remote)
        if self._closed:
            watcher.closed = True  # or who subscribes during a stop would wait for ever
        else:
            self._watchers.append(watcher)
        return watcher

    def follow(self, follower: Callable[[Sequence[Change]], None]) -> None:
        """Call it with every commit's changes, at once and before any watcher: for what the server itself must know as soon as it is so."""
        self._followers.append(follower)

    def unsubscribe(self, watcher: Watcher) -> None:
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def close(self) -> None:
        self._closed = True
        self.end_watches()

    def end_watches(self) -> None:
        """Whoever watches must begin anew: what they see is not what it was."""
        for watcher in tuple(self._watchers):
            watcher.close()
