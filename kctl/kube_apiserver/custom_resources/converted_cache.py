"""What one served version shows where a webhook converts: all objects of the resource in that version, made of the cache of what is stored
as it changes. Lists, watches and selectors then go on as with any other cache (upstream has a cacher for each version, too).

Nothing is converted before somebody asks for the version. What cannot be converted fails the requests that would need it, ends the watches,
and is tried again with the next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.watch_cache import Change, Entry, WatchCache, at_revision

Convert = Callable[[Sequence[Object]], Awaitable[list[Object]]]
"""Into the version. Raises ApiError."""
_AT_ONCE = 500


class ConvertedCache(WatchCache):
    def __init__(self, base: WatchCache, convert: Convert, clock: Clock) -> None:
        super().__init__(base.group, base.plural, base.namespaced)
        self.base = base
        self._convert = convert
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._progress: asyncio.Future[None] | None = None
        self._complete_to = -1
        """The revision up to which it has what the base has."""
        self._failure: ApiError | None = None
        self.ended = False

    @property
    def lag(self) -> bool:
        """Whether the base has changes that are not converted yet."""
        return self._complete_to < self.base.last_revision

    @property
    def complete_to(self) -> int:
        return self._complete_to

    async def caught_up(self) -> None:
        """Until everything is here that the base has now. Raises ApiError where it cannot be converted."""
        wanted = self.base.last_revision
        while self._complete_to < wanted and not self.ended:
            if self._task is None:
                self._failure = None
                self._task = asyncio.create_task(self._follow())
            if self._progress is None:
                self._progress = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._progress)
            if self._failure is not None:
                raise self._failure

    def end(self) -> None:
        """The definition is another one, or gone."""
        self.ended = True
        if self._task is not None:
            self._task.cancel()
        self.close()
        self._tell()

    async def _follow(self) -> None:
        watcher = self.base.subscribe(None, "")
        try:
            await self._load()
            while (batch := await watcher.next()) is not None:
                new = [change for change in batch if change.entry.revision > self._complete_to]
                if new:
                    await self._take(new)
            self.ended = True
            self.close()
        except ApiError as error:
            self._failure = error
            self._complete_to = -1
            self.end_watches()
        finally:
            self._task = None
            watcher.close()
            self._tell()

    async def _load(self) -> None:
        present, revision = list(self.base.entries.items()), self.base.last_revision
        made: list[tuple[str, Entry]] = []
        for start in range(0, len(present), _AT_ONCE):
            some = present[start : start + _AT_ONCE]
            converted = await self._entries([entry for _, entry in some])
            made += zip((key for key, _ in some), converted, strict=True)
        self.forget_all()
        self.load(made, revision)
        self._reached(revision)

    async def _take(self, batch: Sequence[Change]) -> None:
        entries = iter(await self._entries([change.entry for change in batch if change.type != "DELETED"]))
        newest: dict[str, Object | None] = {}
        made = []
        for change in batch:
            key, revision = change.key, change.entry.revision
            known = self.entries.get(key)
            old = newest.get(key, known.object if known is not None else None)
            if change.type != "DELETED":
                entry = next(entries)
                newest[key] = entry.object
                made.append(Change("ADDED" if old is None else "MODIFIED", key, entry, old))
            elif old is not None:
                newest[key] = None
                made.append(Change("DELETED", key, Entry(at_revision(old, revision), revision), old))
        if made:
            self.apply(made, self._clock.monotonic())
        self._reached(batch[-1].entry.revision)

    async def _entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """Converted; those that are in the version already are shared."""
        objects = [entry.object for entry in entries]
        pairs = zip(entries, await self._convert(objects) if objects else [], strict=True)
        return [entry if made is entry.object else Entry(made, entry.revision) for entry, made in pairs]

    def _reached(self, revision: int) -> None:
        self._complete_to = revision
        self._tell()

    def _tell(self) -> None:
        progress, self._progress = self._progress, None
        if progress is not None and not progress.done():
            progress.set_result(None)
