"""The verbs of an endpoint as the server's own parts call them: no request, options that are parsed, objects that are decoded."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound, Timeout
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.registry import watch
from kctl.kube_apiserver.registry.delete import DeleteOptions
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.list_options import ListOptions, parse
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.storage import memory_store

CONFIG_MAPS = built_in("v1", "ConfigMap")
CALLER = Caller(APISERVER)


def config_map(name: str, **data: str) -> Object:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "labels": {"app": name[0]}}, "data": data}


@pytest.fixture
async def maps() -> AsyncIterator[Endpoint]:
    server = ApiServer(memory_store(), clock=RealClock(), randomness=random.Random(1))
    await server.start()
    yield server.registry.endpoint(CONFIG_MAPS)
    await server.stop()


def with_data(old: Object) -> Object:
    return {**old, "data": {"a": "2"}}


async def test_create_get_update_delete(maps: Endpoint) -> None:
    created = await maps.create("default", config_map("a", a="1"), CALLER)
    assert maps.get("default", "a").object == created
    updated, is_new = await maps.update("default", "a", with_data, CALLER)
    assert (updated["data"], is_new) == ({"a": "2"}, False)
    deleted = await maps.delete("default", "a", DeleteOptions(), CALLER)
    assert deleted.gone and deleted.object["data"] == {"a": "2"}
    with pytest.raises(NotFound, match='configmaps "a" not found'):
        maps.get("default", "a")


async def test_a_get_is_not_older_than_asked_for(maps: Endpoint) -> None:
    created = await maps.create("default", config_map("a"), CALLER)
    revision = int(created["metadata"]["resourceVersion"])
    assert maps.get("default", "a", revision).revision == revision
    with pytest.raises(Timeout, match=f"Too large resource version: {revision + 1}, current: {revision}"):
        maps.get("default", "a", revision + 1)


async def test_an_update_of_what_is_missing_creates_only_where_told_how(maps: Endpoint) -> None:
    with pytest.raises(NotFound):
        await maps.update("default", "a", with_data, CALLER)
    created, is_new = await maps.update("default", "a", with_data, CALLER, create=lambda: config_map("a", a="1"))
    assert is_new and created["data"] == {"a": "1"} and created["metadata"]["uid"]
    updated, is_new = await maps.update("default", "a", with_data, CALLER, create=lambda: config_map("a", a="3"))
    assert not is_new and updated["data"] == {"a": "2"}
    with pytest.raises(NotFound):
        await maps.update("default", "b", with_data, CALLER, subresource="status", create=lambda: config_map("b"))


async def test_a_collection_is_deleted_as_far_as_selected(maps: Endpoint) -> None:
    for name in ("a1", "a2", "b1"):
        await maps.create("default", config_map(name), CALLER)
    gone = await maps.delete_collection("default", parse({"labelSelector": "app=a"}, watch=False), DeleteOptions(), CALLER)
    assert [entry.object["metadata"]["name"] for entry in gone.entries] == ["a1", "a2"]
    left = await maps.list("default", ListOptions())
    assert [entry.object["metadata"]["name"] for entry in left.entries] == ["b1"]


async def test_a_watch_tells_what_is_there_and_what_happens(maps: Endpoint) -> None:
    await maps.create("default", config_map("a"), CALLER)
    stream = maps.watch("default", parse({"labelSelector": "app in (a, b)"}, watch=True))
    batches = aiter(stream)
    assert [(change.type, change.entry.object["metadata"]["name"]) for change in await anext(batches)] == [("ADDED", "a")]  # type: ignore[union-attr]
    await maps.create("default", config_map("c"), CALLER)
    await maps.create("default", config_map("b"), CALLER)
    assert [(change.type, change.entry.object["metadata"]["name"]) for change in await anext(batches)] == [("ADDED", "b")]  # type: ignore[union-attr]
    stream.close()


async def test_a_watch_tells_much_that_is_there_in_parts(maps: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_AT_ONCE", 2)
    for name in ("a1", "a2", "b1", "b2", "a3"):
        await maps.create("default", config_map(name), CALLER)
    query = {"labelSelector": "app=a", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    stream = maps.watch("default", parse(query, watch=True))
    batches = aiter(stream)
    told = [await anext(batches)]
    await maps.create("default", config_map("a4"), CALLER)
    told += [await anext(batches) for _ in range(3)]
    stream.close()
    names = [[change.entry.object["metadata"]["name"] for change in batch] for batch in told if not isinstance(batch, watch.Bookmark)]  # type: ignore[union-attr]
    assert names == [["a1", "a2"], ["a3"], ["a4"]]
    assert isinstance(told[2], watch.Bookmark) and told[2].initial_end
