"""The one watch from which a store on etcd hears of everything that is written under its keys, by whomever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

import grpc
import grpc.aio

from store.errors import StoreError
from store.etcd_cluster import messages
from store.etcd_cluster.connection import Connection, Refused, Unanswered
from store.types import Event, KeyValue

log = logging.getLogger(__name__)

OWN = "/kctl.dev/"
"""Keys below this are the store's own, and nobody is told of them."""
PAUSE_SECONDS = 0.1
"""Before a watch that broke off is opened again."""


class Layout(Protocol):
    """Where a key of the contract lies in etcd."""

    def outside(self, key: str) -> str:
        """In etcd. Also of a prefix that ends in '/'; keys with this prefix have the outside one, in the same order."""
        ...

    def inside(self, key: str) -> str:
        """The inverse; '' for a key that is none of ours."""
        ...


class SameLayout:
    """Keys lie where the contract says."""

    def outside(self, key: str) -> str:
        return key

    def inside(self, key: str) -> str:
        return key


class CompactedAway(StoreError):
    """What happened from `revision` on is no longer known before `compact_revision`."""

    def __init__(self, revision: int, compact_revision: int) -> None:
        super().__init__(f"revision {revision} is compacted; the oldest is {compact_revision}")
        self.compact_revision = compact_revision


class Scope:
    """The keys of one store among all of an etcd cluster's: those that begin with `namespace` and a slash."""

    def __init__(self, namespace: str, layout: Layout) -> None:
        self._namespace = namespace
        self._layout = layout
        self.start = f"{namespace}/".encode()
        self.end = f"{namespace}0".encode()
        """Where they end: 0 is what follows the slash."""
        self.anchor = f"{namespace}{OWN}anchor".encode()
        self.owner = f"{namespace}{OWN}owner".encode()
        self.members = f"{namespace}{OWN}members/".encode()
        """One key below it for each process that shares the keys with others."""

    def outside(self, key: str) -> bytes:
        return (self._namespace + self._layout.outside(key)).encode()

    def outside_end(self, end: str) -> bytes:
        """Of the end of a range, mostly a prefix whose slash has become a 0."""
        if end.endswith("0"):
            return self.outside(end[:-1] + "/")[:-1] + b"0"
        return self.outside(end)

    def inside(self, key: bytes) -> str:
        """'' for a key that is not the contract's."""
        found = key.decode(errors="replace").removeprefix(self._namespace)
        return "" if found.startswith(OWN) else self._layout.inside(found)

    def key_value(self, stored: Any) -> KeyValue:
        return KeyValue(self.inside(stored.key), stored.value, stored.create_revision, stored.mod_revision, stored.version)

    def event(self, told: Any) -> Event:
        """A deletion has its own revision, and creation and version of what was deleted, as far as etcd still knows."""
        previous = self.key_value(told.prev_kv) if told.HasField("prev_kv") else None
        if told.type == messages.PUT:
            return Event("PUT", self.key_value(told.kv), previous)
        created, version = (previous.create_revision, previous.version) if previous else (0, 0)
        return Event("DELETE", KeyValue(self.inside(told.kv.key), b"", created, told.kv.mod_revision, version), previous)


async def responses(stream: Any) -> AsyncIterator[Any]:
    """What a stream of watches says, until it breaks off. Raises Unanswered."""
    while True:
        try:
            response = await stream.read()
        except grpc.aio.AioRpcError as error:
            raise Unanswered(error.details() or error.code().name) from None
        if response is grpc.aio.EOF:
            raise Unanswered("the watch ended")
        yield response


class Feed:
    """`deliver` is awaited with the events of each response in order; what one tells is whole revisions. `told` hears why nothing comes
    at present, and '' when it does again."""

    def __init__(
        self,
        connection: Connection,
        scope: Scope,
        revision: int,
        deliver: Callable[[Sequence[Event]], Awaitable[None]],
        told: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._revision = revision
        self._deliver = deliver
        self._told = told
        self.open = asyncio.Event()
        """Set once the first watch stands."""

    async def run(self) -> None:
        """Until cancelled. Raises CompactedAway where the connection was lost for so long that events are lost."""
        while True:
            try:
                await self._follow()
            except (Unanswered, Refused, grpc.aio.AioRpcError) as error:
                why = (error.details() or error.code().name) if isinstance(error, grpc.aio.AioRpcError) else str(error)
                self._connection.doubt(why)
                self._told(why)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self) -> None:
        member, stream = await self._connection.watch()
        try:
            request = messages.WatchCreateRequest(
                key=self._scope.start, range_end=self._scope.end, start_revision=self._revision + 1, prev_kv=True, fragment=True
            )
            await stream.write(messages.WatchRequest(create_request=request))
            events: list[Event] = []
            async for response in responses(stream):
                if response.canceled:
                    self._cancelled(response)
                if response.created:
                    self._told("")
                    self.open.set()
                events += map(self._scope.event, response.events)
                if events and not response.fragment:
                    await self._deliver(events)
                    self._revision = events[-1].key_value.mod_revision
                    events = []
        except Unanswered:
            self._connection.turn_away(member)
            raise
        finally:
            stream.cancel()

    def _cancelled(self, response: Any) -> None:
        if response.compact_revision:
            raise CompactedAway(self._revision + 1, response.compact_revision)
        raise Unanswered(response.cancel_reason or "the watch was cancelled")
