"""Writes that are computed from the stored object and win in the end (etcd3's GuaranteedUpdate).

A write that lost a race is computed again over what the winner stored, without limit: whoever names no resourceVersion asked for
no check and is never told of a conflict. So that a crowd makes progress, those who lost go on one after the other, in the order
they lost; all of them trying again at once would cost the square of their number. The first attempt waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import MODIFIED, ApiError, ServiceUnavailable, conflict, not_found
from kctl.kube_apiserver.storage import Missing, Stale, StorageError, Unavailable
from kctl.kube_apiserver.watch_cache import WatchCache

Answer = TypeVar("Answer")


class GuaranteedUpdate:
    """Shared by all writers of a registry."""

    def __init__(self) -> None:
        self._turns: dict[tuple[WatchCache, str], _Turns] = {}

    async def run(self, resource: ResourceType, cache: WatchCache, key: str, name: str, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of the first `attempt` that is not `Stale`; it reads the object anew each time. Raises NotFound,
        and ServiceUnavailable where the store is closed."""
        before = cache.entries.get(key)
        try:
            return await attempt()
        except Stale:
            return await self._again(resource, cache, key, name, attempt, before is cache.entries.get(key))
        except StorageError as error:
            raise failure(resource, name, error) from None

    async def _again(
        self, resource: ResourceType, cache: WatchCache, key: str, name: str, attempt: Callable[[], Awaitable[Answer]], in_vain: bool
    ) -> Answer:
        turns = self._turns.setdefault((cache, key), _Turns())
        turns.waiting += 1
        try:
            async with turns.lock:
                while not in_vain:
                    before = cache.entries.get(key)
                    try:
                        return await attempt()
                    except Stale:
                        in_vain = before is cache.entries.get(key)
        except StorageError as error:
            raise failure(resource, name, error) from None
        finally:
            turns.waiting -= 1
            if not turns.waiting:
                self._turns.pop((cache, key), None)
        # Nobody wrote, and yet we lost: trying again would change nothing.
        raise conflict(resource.group, resource.plural, name, MODIFIED)


class _Turns:
    __slots__ = ("lock", "waiting")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0


def failure(resource: ResourceType, name: str, error: StorageError) -> ApiError:
    """What the caller is told of a write that could not be done."""
    match error:
        case Missing():
            return not_found(resource.group, resource.plural, name)
        case Unavailable():
            return ServiceUnavailable(str(error))
    return ApiError(str(error), code=500)
