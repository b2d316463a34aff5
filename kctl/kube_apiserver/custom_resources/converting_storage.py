"""The storage of a custom resource with several versions: what is written is converted to the one that is stored, and what the writer gets
back is what a reader would get, converted back (upstream's codec of the storage)."""

from __future__ import annotations

from typing import Any, Protocol

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.storage import Storage
from kctl.kube_apiserver.watch_cache import WatchCache


class Converter(Protocol):
    async def stored_form(self, obj: Object) -> Object: ...

    async def served_form(self, obj: Object) -> Object: ...


class ConvertingStorage:
    """Everything else is the storage's own."""

    def __init__(self, storage: Storage, converter: Converter) -> None:
        self._storage = storage
        self._converter = converter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def create(self, cache: WatchCache, key: str, obj: Object) -> Object:
        stored = await self._converter.stored_form(obj)
        return await self._converter.served_form(await self._storage.create(cache, key, stored))

    async def update(self, cache: WatchCache, key: str, obj: Object, revision: int) -> Object:
        stored = await self._converter.stored_form(obj)
        return await self._converter.served_form(await self._storage.update(cache, key, stored, revision))
