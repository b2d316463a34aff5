"""The official conformance tests of watches, on ConfigMaps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kctl.apimachinery.resources import CONFIG_MAPS
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from tests.conformance.api import Api, api

pytestmark = pytest.mark.virtual_time
MAPS = "/api/v1/namespaces/default/configmaps"
LABEL = "watch-this-configmap"


class Watch:
    """One that is open: what came over it, one event after the other."""

    def __init__(self, batches: AsyncIterator[Any]) -> None:
        self._batches = batches
        self._events: list[Any] = []

    async def next(self) -> tuple[str, Any]:
        while not self._events:
            self._events = [event for event in await anext(self._batches) if event.type != "BOOKMARK"]
        event = self._events.pop(0)
        return event.type, event.object


@asynccontextmanager
async def watching(made: Api, *values: str, since: str = "") -> AsyncIterator[Watch]:
    client = Client(made.server.transport(ADMIN))
    selector = f"{LABEL} in ({','.join(values)})" if values else ""
    batches = await client.watch(CONFIG_MAPS, "default", label_selector=selector, resource_version=since)
    try:
        yield Watch(batches)
    finally:
        await batches.aclose()  # type: ignore[attr-defined]


async def config_map(made: Api, name: str, label: str = "") -> Any:
    return await made.create(MAPS, {"metadata": {"name": name, "labels": {LABEL: label}}})


async def mutate(made: Api, name: str, mutation: str) -> Any:
    return await made.patch(f"{MAPS}/{name}", {"data": {"mutation": mutation}})


async def relabel(made: Api, name: str, label: str) -> Any:
    return await made.patch(f"{MAPS}/{name}", {"metadata": {"labels": {LABEL: label}}})


async def expect(kind: str, obj: Any, *watches: Watch) -> None:
    """The next event of each; since events keep their order, nothing else came before it."""
    for watch in watches:
        seen, what = await watch.next()
        assert seen == kind
        assert what["metadata"]["name"] == obj["metadata"]["name"]
        if kind != "DELETED":
            assert what == obj


async def test_watches_see_what_their_selectors_want() -> None:
    """[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps [Conformance]"""
    async with api() as made, watching(made, "A") as a, watching(made, "B") as b, watching(made, "A", "B") as both:
        obj = await config_map(made, "configmap-a", "A")
        await expect("ADDED", obj, a, both)
        for mutation in ("1", "2"):
            await expect("MODIFIED", await mutate(made, "configmap-a", mutation), a, both)
        await made.delete(f"{MAPS}/configmap-a")
        await expect("DELETED", obj, a, both)
        obj = await config_map(made, "configmap-b", "B")
        await expect("ADDED", obj, b, both)
        await made.delete(f"{MAPS}/configmap-b")
        await expect("DELETED", obj, b, both)
        last = await config_map(made, "configmap-last", "A")
        await expect("ADDED", last, a, both)


async def test_a_watch_starts_where_it_is_told() -> None:
    """[sig-api-machinery] Watchers should be able to start watching from a specific resource version [Conformance]"""
    async with api() as made:
        await config_map(made, "m", "from")
        first = await mutate(made, "m", "1")
        second = await mutate(made, "m", "2")
        await made.delete(f"{MAPS}/m")
        async with watching(made, "from", since=first["metadata"]["resourceVersion"]) as watch:
            await expect("MODIFIED", second, watch)
            await expect("DELETED", second, watch)


async def test_a_watch_goes_on_where_another_ended() -> None:
    """[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch
    [Conformance]"""
    async with api() as made:
        async with watching(made, "closed") as broken:
            await expect("ADDED", await config_map(made, "m", "closed"), broken)
            await mutate(made, "m", "1")
            kind, last = await broken.next()
            assert kind == "MODIFIED"
        second = await mutate(made, "m", "2")
        async with watching(made, "closed", since=last["metadata"]["resourceVersion"]) as restarted:
            await made.delete(f"{MAPS}/m")
            await expect("MODIFIED", second, restarted)
            await expect("DELETED", second, restarted)


async def test_what_no_longer_matches_is_deleted_for_the_watch() -> None:
    """[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector
    [Conformance]"""
    async with api() as made, watching(made, "wanted") as watch:
        await expect("ADDED", await config_map(made, "m", "wanted"), watch)
        first = await mutate(made, "m", "1")
        await relabel(made, "m", "wrong-value")
        await expect("MODIFIED", first, watch)
        await expect("DELETED", first, watch)
        await mutate(made, "m", "2")
        restored = await relabel(made, "m", "wanted")
        third = await mutate(made, "m", "3")
        await made.delete(f"{MAPS}/m")
        await expect("ADDED", restored, watch)
        await expect("MODIFIED", third, watch)
        await expect("DELETED", third, watch)


async def test_all_watches_see_one_order() -> None:
    """[sig-api-machinery] Watchers should receive events on concurrent watches in same order [Conformance]"""
    async with api() as made:
        since = str((await made.get(MAPS))["metadata"]["resourceVersion"])
        async with watching(made, since=since) as first:
            for number in range(50):
                await config_map(made, f"m-{number}")
                await mutate(made, f"m-{number}", "1")
                if number % 2:
                    await made.delete(f"{MAPS}/m-{number - 1}")
            order = [(await first.next())[1]["metadata"]["resourceVersion"] for _ in range(125)]
        assert order == sorted(order, key=int) and len(set(order)) == 125
        for position in range(0, 124):
            async with watching(made, since=order[position]) as later:
                for expected in order[position + 1 :]:
                    assert (await later.next())[1]["metadata"]["resourceVersion"] == expected
