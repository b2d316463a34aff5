"""What etcd remembers: events between two revisions, and the oldest revision it can still answer for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from store.errors import StoreError
from store.etcd_cluster import messages
from store.etcd_cluster.connection import Connection, NoSuchRevision
from store.etcd_cluster.feed import CompactedAway, Scope, responses
from store.types import Event

Anchor = Callable[[int], Awaitable[None]]
"""Sees to it that something in the scope has happened at this revision or later."""


async def oldest_readable(connection: Connection, scope: Scope, newest: int) -> int:
    """The compacted revision, 0 where there is none. etcd does not tell it but refuses reads below it: halving finds it in
    some twenty questions."""
    lowest, highest = 1, max(newest, 1)
    while lowest < highest:
        middle = (lowest + highest) // 2
        asked = messages.RangeRequest(key=scope.start, limit=1, revision=middle, keys_only=True)
        try:
            await connection.call("KV/Range", asked, messages.RangeResponse, repeatable=True)
        except NoSuchRevision:
            lowest = middle + 1
        else:
            highest = middle
    return 0 if lowest <= 1 else lowest


async def events_between(connection: Connection, scope: Scope, prefix: str, first: int, last: int, anchor: Anchor) -> list[Event]:
    """Events of keys with `prefix` and first <= revision <= last, in order. A watch tells the past without a word of where it ends; so
    all of the scope is watched, and the first event at or after `last` is the end. Raises CompactedAway."""
    await anchor(last)
    found: list[Event] = []
    _, stream = await connection.watch()
    try:
        request = messages.WatchCreateRequest(key=scope.start, range_end=scope.end, start_revision=first, prev_kv=True, fragment=True)
        await stream.write(messages.WatchRequest(create_request=request))
        async for response in responses(stream):
            if response.canceled:
                _raise(response, first)
            for event in map(scope.event, response.events):
                revision = event.key_value.mod_revision
                if revision > last:
                    return found
                if event.key_value.key.startswith(prefix):
                    found.append(event)
            if response.events and response.events[-1].kv.mod_revision >= last and not response.fragment:
                return found
    finally:
        stream.cancel()
    raise StoreError("the watch of the past ended early")


def _raise(response: Any, first: int) -> None:
    if response.compact_revision:
        raise CompactedAway(first, response.compact_revision)
    raise StoreError(response.cancel_reason or "the watch was cancelled")
