"""A server on a store that was used before: the same objects, revisions go on, old watches resume, addresses stay taken."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.resources import CONFIG_MAPS, SERVICES
from kctl.apimachinery.status import Invalid
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.server import ApiServer
from store.sqlite import SqliteStore


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Client]:
    store = SqliteStore(path)
    await store.start()
    server = ApiServer(store, clock=RealClock(), randomness=random.Random())
    await server.start()
    try:
        yield Client(server.transport(ADMIN))
    finally:
        await server.stop()
        await store.close()


async def test_everything_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with running(path) as client:
        made = await client.create(CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"x": "1"}}, "default")
        await client.patch(CONFIG_MAPS, "a", {"data": {"x": "2"}}, "default")
        await client.create(CONFIG_MAPS, {"metadata": {"name": "b"}}, "default")
        await client.delete(CONFIG_MAPS, "b", "default")
        before = await client.list(CONFIG_MAPS)
    async with running(path) as client:
        after = await client.list(CONFIG_MAPS)
        assert after == before
        stream = await client.watch(CONFIG_MAPS, resource_version=made["metadata"]["resourceVersion"])
        later = await client.create(CONFIG_MAPS, {"metadata": {"name": "c"}}, "default")
        assert int(later["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])
        seen: list[tuple[str, str]] = []
        async with asyncio.timeout(10):
            async for batch in stream:
                seen += [(event.type, event.object["metadata"]["name"]) for event in batch]
                if len(seen) >= 4:
                    break
        assert seen == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "b"), ("ADDED", "c")]


async def test_a_watch_that_resumes_after_a_restart_hears_of_the_last_deletions(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with running(path) as client:
        for name in ("a", "b"):
            await client.create(CONFIG_MAPS, {"metadata": {"name": name, "labels": {"team": "x"}}}, "default")
        before = (await client.list(CONFIG_MAPS))["metadata"]["resourceVersion"]
        await client.delete(CONFIG_MAPS, "b", "default")
    async with running(path) as client:
        for selector in ("", "team=x"):
            stream = await client.watch(CONFIG_MAPS, "default", resource_version=before, label_selector=selector)
            async with asyncio.timeout(10):
                events = await anext(stream)
            assert [(event.type, event.object["metadata"]["name"]) for event in events] == [("DELETED", "b")]
            await stream.aclose()  # type: ignore[attr-defined]


async def test_cluster_ips_stay_taken(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    service = {"metadata": {"name": "one"}, "spec": {"ports": [{"port": 80}]}}
    async with running(path) as client:
        address = (await client.create(SERVICES, service, "default"))["spec"]["clusterIP"]
    async with running(path) as client:
        again = {"metadata": {"name": "two"}, "spec": {"ports": [{"port": 80}], "clusterIP": address}}
        with pytest.raises(Invalid, match="provided IP is already allocated"):
            await client.create(SERVICES, again, "default")
        await client.delete(SERVICES, "one", "default")
        assert (await client.create(SERVICES, again, "default"))["spec"]["clusterIP"] == address


async def test_old_pages_are_consistent(tmp_path: Path) -> None:
    async with running(tmp_path / "state.db") as client:
        for name in "abcd":
            await client.create(CONFIG_MAPS, {"metadata": {"name": name}, "data": {"v": "1"}}, "default")
        first = await client.list(CONFIG_MAPS, "default", limit=1)
        await client.patch(CONFIG_MAPS, "c", {"data": {"v": "2"}}, "default")
        await client.create(CONFIG_MAPS, {"metadata": {"name": "bb"}}, "default")
        rest = await client.list(CONFIG_MAPS, "default", continue_token=first["metadata"]["continue"])
        assert [(item["metadata"]["name"], item["data"]["v"]) for item in rest["items"]] == [
            ("b", "1"),
            ("c", "1"),
            ("d", "1"),
        ]
        assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
