"""The cache behind an informer: objects by key, plus indexes kept up to date one change at a time (client-go's Indexer).

Indexes are what keeps the cost per object constant: nobody scans all pods to find those of a node or of an owner.
Collections handed out are live views: copy them (`list(...)`) before awaiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

IndexFunction = Callable[[Object], Iterable[str]]

_NAMESPACE = "namespace"


class _Index:
    __slots__ = ("by_value", "function")

    def __init__(self, function: IndexFunction) -> None:
        self.function = function
        self.by_value: dict[str, dict[str, Object]] = {}

    def change(self, key: str, old: Object | None, new: Object | None) -> None:
        before = self.function(old) if old is not None else ()
        after = self.function(new) if new is not None else ()
        if before != after:
            for value in before:
                bucket = self.by_value.get(value)
                if bucket is not None:
                    bucket.pop(key, None)
                    if not bucket:
                        del self.by_value[value]
        if new is not None:
            for value in after:
                bucket = self.by_value.get(value)
                if bucket is None:
                    bucket = self.by_value[value] = {}
                bucket[key] = new


class Indexer:
    def __init__(self) -> None:
        self.items: dict[str, Object] = {}
        """By key; to be read only."""
        self._indexes: dict[str, _Index] = {}

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
            self.add_index(_NAMESPACE, lambda obj: (objects.namespace(obj),))
        return self.by_index(_NAMESPACE, namespace)

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Adding a name a second time keeps the first: several users of one cache may ask for the same index."""
        if name in self._indexes:
            return
        index = self._indexes[name] = _Index(function)
        for key, obj in self.items.items():
            index.change(key, None, obj)

    def by_index(self, name: str, value: str) -> Collection[Object]:
        bucket = self._indexes[name].by_value.get(value)
        return bucket.values() if bucket is not None else ()

    def index_values(self, name: str) -> Collection[str]:
        return self._indexes[name].by_value.keys()

    def put(self, key: str, old: Object | None, obj: Object) -> None:
        """Stores `obj` in the place of `old`, which is what `get` answers."""
        self.items[key] = obj
        for index in self._indexes.values():
            index.change(key, old, obj)

    def remove(self, key: str) -> Object | None:
        old = self.items.pop(key, None)
        if old is not None:
            for index in self._indexes.values():
                index.change(key, old, None)
        return old
