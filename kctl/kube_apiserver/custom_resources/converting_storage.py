"""The storage of a custom resource with several versions: what is written is converted to the one that is stored, and what the writer gets
back is what a reader would get, converted back (upstream's codec of the storage)."""

from __future__ import annotations

from typing import Any, Protocol

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.custom_resources.converted_cache import Convert, ConvertedCache
from kctl.kube_apiserver.storage import Stale, Storage
from kctl.kube_apiserver.watch_cache import Change, Entry, WatchCache


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


class ViewStorage(ConvertingStorage):
    """The storage of a version whose cache a webhook makes: writes go to what is stored, and what is read of the past is converted."""

    def __init__(self, storage: Storage, converter: Converter, view: ConvertedCache, convert: Convert) -> None:
        super().__init__(storage, converter)
        self._view = view
        self._convert = convert

    @property
    def revision(self) -> int:
        """What the view shows: it may be behind the store for as long as a conversion takes."""
        return self._view.complete_to if self._view.lag else self._storage.revision

    async def create(self, cache: WatchCache, key: str, obj: Object) -> Object:
        return await super().create(self._view.base, key, obj)

    async def update(self, cache: WatchCache, key: str, obj: Object, revision: int) -> Object:
        try:
            return await super().update(self._view.base, key, obj, revision)
        except Stale:
            await self._view.caught_up()  # or who tries again would find what they found before
            raise

    async def delete(self, cache: WatchCache, key: str, revision: int) -> int:
        try:
            return await self._storage.delete(self._view.base, key, revision)
        except Stale:
            await self._view.caught_up()
            raise

    async def list_at(self, cache: WatchCache, namespace: str, after: str, revision: int, limit: int) -> tuple[list[Entry], bool]:
        entries, more = await self._storage.list_at(self._view.base, namespace, after, revision, limit)
        converted = await self._convert([entry.object for entry in entries])
        return [Entry(obj, entry.revision) for entry, obj in zip(entries, converted, strict=True)], more

    async def history(self, cache: WatchCache, revision: int) -> list[Change]:
        changes = await self._storage.history(self._view.base, revision)
        entries = await self._convert([change.entry.object for change in changes])
        olds = iter(await self._convert([change.old for change in changes if change.old is not None]))
        return [
            change._replace(entry=Entry(obj, change.entry.revision), old=next(olds) if change.old is not None else None)
            for change, obj in zip(changes, entries, strict=True)
        ]
