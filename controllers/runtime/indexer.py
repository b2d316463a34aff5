"""The cache behind an informer: objects by key, plus indexes kept up to date one change at a time (client-go's Indexer).

Indexes are what keeps the cost per object constant: nobody scans all pods to find those of a node or of an owner.
Collections handed out are live views: copy them (`list(...)`) before awaiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

IndexFunction = Callable[[Object], Iterable[str]]
Part = tuple[str, ...]
"""The way to a part of an object: ("spec",) or ("metadata", "ownerReferences"); () is all of it."""

WHOLE: Part = ()
SPEC: Part = ("spec",)
STATUS: Part = ("status",)
OWNERS: Part = ("metadata", "ownerReferences")
_NAMESPACE = "namespace"


class _Index:
    """Keys by value. What has the value is looked up when asked for, so a change that leaves the values alone costs an index nothing."""

    __slots__ = ("by_value", "function")

    def __init__(self, function: IndexFunction) -> None:
        self.function = function
        self.by_value: dict[str, dict[str, None]] = {}

    def add(self, key: str, obj: Object) -> None:
        for value in self.function(obj):
            bucket = self.by_value.get(value)
            if bucket is None:
                bucket = self.by_value[value] = {}
            bucket[key] = None

    def remove(self, key: str, obj: Object) -> None:
        for value in self.function(obj):
            bucket = self.by_value.get(value)
            if bucket is not None:
                bucket.pop(key, None)
                if not bucket:
                    del self.by_value[value]

    def change(self, key: str, old: Object, new: Object) -> None:
        if self.function(old) != self.function(new):
            self.remove(key, old)
            self.add(key, new)


class _View(Collection[Object]):
    """The objects of some keys, as they are now."""

    __slots__ = ("_items", "_keys")

    def __init__(self, keys: Mapping[str, None], items: Mapping[str, Object]) -> None:
        self._keys = keys
        self._items = items

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Object]:
        return map(self._items.__getitem__, self._keys)

    def __contains__(self, obj: object) -> bool:
        return any(obj == each for each in self)


class Indexer:
    def __init__(self) -> None:
        self.items: dict[str, Object] = {}
        """By key; to be read only."""
        self._indexes: dict[str, _Index] = {}
        self._by_part: dict[Part, list[_Index]] = {}

    def __len__(self) -> int:
        return len(self.items)

    def keys(self) -> Collection[str]:
        return self.items.keys()

    def get(self, key: str) -> Object | None:
        return self.items.get(key)

    def list(self, namespace: str = "") -> Collection[Object]:
        if not namespace:
            return self.items.values()
        if _NAMESPACE not in self._indexes:
            self.add_index(_NAMESPACE, lambda obj: (objects.namespace(obj),), ("metadata", "namespace"))
        return self.by_index(_NAMESPACE, namespace)

    def add_index(self, name: str, function: IndexFunction, reads: Part = WHOLE) -> None:
        """`reads` is the only part of an object that `function` looks at, besides its name and namespace: a change that shares
        that part with what was there before is not looked at. Adding a name a second time keeps the first: several users of one
        cache may ask for the same index."""
        if name in self._indexes:
            return
        index = self._indexes[name] = _Index(function)
        self._by_part.setdefault(reads, []).append(index)
        for key, obj in self.items.items():
            index.add(key, obj)

    def by_index(self, name: str, value: str) -> Collection[Object]:
        bucket = self._indexes[name].by_value.get(value)
        return _View(bucket, self.items) if bucket is not None else ()

    def index_values(self, name: str) -> Collection[str]:
        return self._indexes[name].by_value.keys()

    def put(self, key: str, old: Object | None, obj: Object) -> None:
        """Stores `obj` in the place of `old`, which is what `get` answers."""
        self.items[key] = obj
        if old is None:
            for index in self._indexes.values():
                index.add(key, obj)
            return
        for part, indexes in self._by_part.items():
            before, after = old, obj
            for step in part:
                before, after = before.get(step), after.get(step)  # type: ignore[assignment]
                if before is after:
                    break
            else:
                for index in indexes:
                    index.change(key, old, obj)

    def remove(self, key: str) -> Object | None:
        old = self.items.pop(key, None)
        if old is not None:
            for index in self._indexes.values():
                index.remove(key, old)
        return old
