"""Lists in pages: one consistent list whatever happens in between, at the cost of each page's own size."""

from __future__ import annotations

import base64
import random
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.registry.list import EXPIRED_TOKEN, ListResult
from kctl.kube_apiserver.registry.list_options import parse
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.storage import memory_store
from store.sqlite import SqliteStore
from store.types import Put, RangeResult

MAPS, SECRETS, NAMESPACES = built_in("v1", "ConfigMap"), built_in("v1", "Secret"), built_in("v1", "Namespace")


class Api:
    def __init__(self, store: Any) -> None:
        config = ApiServerConfig(bootstrap=False)
        self.store = store
        self.server = ApiServer(store, clock=RealClock(), randomness=random.Random(1), config=config)
        self.client = Client(self.server.transport(User("admin", ("system:masters",))))

    async def page(self, resource: ResourceType = MAPS, namespace: str = "", **query: Any) -> ListResult:
        words = {key: str(value) for key, value in query.items()}
        endpoint = self.server.registry.endpoint(resource)
        return await endpoint.list(namespace, parse(words, watch=False))

    async def walk(self, limit: int, between: Any = None, **query: Any) -> list[ListResult]:
        pages = [await self.page(limit=limit, **query)]
        while token := pages[-1].continue_token:
            if between is not None:
                await between(len(pages))
            query = {key: value for key, value in query.items() if not key.startswith("resourceVersion")}
            pages.append(await self.page(limit=limit, **query, **{"continue": token}))
        return pages

    async def fill(self, number: int, namespace: str = "a", resource: ResourceType = MAPS) -> None:
        for index in range(number):
            labels = {"parity": str(index % 2), "half": str(index >= number // 2)}
            obj = {"metadata": {"name": f"c{index:05}", "namespace": namespace, "labels": labels}}
            await self.client.create(resource, obj, namespace=namespace)


@pytest.fixture(params=["memory", "sqlite"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    store = memory_store() if request.param == "memory" else SqliteStore(tmp_path / "state.db")
    await store.start()
    found = Api(store)
    await found.server.start()
    for name in ("a", "b", "a-b"):
        await found.client.create(NAMESPACES, {"metadata": {"name": name}})
    yield found
    await found.server.stop()
    await store.close()


def names(pages: list[ListResult]) -> list[str]:
    metas = [entry.object["metadata"] for page in pages for entry in page.entries]
    return [f"{meta['namespace']}/{meta['name']}" for meta in metas]


def versions(pages: list[ListResult]) -> list[str]:
    return [entry.object["metadata"]["resourceVersion"] for page in pages for entry in page.entries]


@pytest.mark.parametrize("limit", [1, 7, 10, 25, 30, 100])
async def test_pages_are_the_list(api: Api, limit: int) -> None:
    await api.fill(10)
    await api.fill(10, "a-b")
    await api.fill(10, "b")
    pages = await api.walk(limit)
    assert names(pages) == names([await api.page()]) == sorted(names(pages))
    counts = [len(page.entries) for page in pages]
    left = [30 - sum(counts[: index + 1]) for index in range(len(pages))]
    assert [page.remaining or 0 for page in pages] == left
    inside = await api.walk(limit, namespace="a")
    assert names(inside) == [f"a/c{index:05}" for index in range(10)]


@pytest.mark.parametrize("limit", [3, 10])
async def test_what_happens_between_the_pages_is_not_seen(api: Api, limit: int) -> None:
    await api.fill(20)
    before = await api.page()

    async def disturb(turn: int) -> None:
        obj: Object = {"metadata": {"name": f"new{turn}", "namespace": "a"}}
        await api.client.create(MAPS, obj, namespace="a")
        await api.client.delete(MAPS, f"c{20 - turn:05}", namespace="a")
        await api.client.patch(MAPS, f"c{5 + turn:05}", {"data": {"x": "y"}}, namespace="a")

    pages = await api.walk(limit, disturb)
    assert (names(pages), versions(pages)) == (names([before]), versions([before]))
    assert {page.revision for page in pages} == {before.revision}
    assert [page.remaining or 0 for page in pages] == [20 - limit * turn for turn in range(1, len(pages))] + [0]
    exact = await api.walk(limit, resourceVersion=before.revision, resourceVersionMatch="Exact")
    assert (names(exact), versions(exact)) == (names([before]), versions([before]))
    assert [page.remaining or 0 for page in exact] == [page.remaining or 0 for page in pages]


async def test_the_order_follows_what_comes_and_goes(api: Api) -> None:
    await api.fill(5)
    assert len(names([await api.page()])) == 5
    await api.client.delete(MAPS, "c00002", namespace="a")
    await api.fill(1, "b")
    await api.client.delete(MAPS, "c00004", namespace="a")
    await api.client.create(MAPS, {"metadata": {"name": "c00004", "namespace": "a"}}, namespace="a")
    expected = ["a/c00000", "a/c00001", "a/c00003", "a/c00004", "b/c00000"]
    assert names([await api.page()]) == expected
    assert names(await api.walk(2)) == expected


async def test_a_selector_with_a_limit_ends_its_pages_as_upstream(api: Api) -> None:
    """A full page is followed by another one, even if nothing more matches; how many remain is not known."""
    await api.fill(20)
    odd = await api.walk(4, labelSelector="parity=1")
    assert [len(page.entries) for page in odd] == [4, 4, 2]
    assert all(page.remaining is None for page in odd)
    first = await api.walk(10, labelSelector="half=False")
    assert [len(page.entries) for page in first] == [10, 0]

    async def disturb(turn: int) -> None:
        await api.client.delete(MAPS, f"c{2 * turn + 1:05}", namespace="a")

    disturbed = await api.walk(4, disturb, labelSelector="parity=1")
    assert (names(disturbed), versions(disturbed)) == (names(odd), versions(odd))


async def test_a_token_of_a_compacted_revision_expires_though_its_kind_has_not_changed(api: Api) -> None:
    await api.fill(6)
    page = await api.page(limit=2)
    await api.fill(3, "b", SECRETS)
    await api.server.storage.compact(api.server.storage.revision)
    with pytest.raises(ApiError) as caught:
        await api.page(limit=2, **{"continue": page.continue_token})
    assert (caught.value.code, caught.value.reason) == (410, "Expired")
    assert caught.value.status["message"] == EXPIRED_TOKEN
    fresh = caught.value.status["metadata"]["continue"]
    rest = [await api.page(limit=2, **{"continue": fresh})]
    rest.append(await api.page(limit=2, **{"continue": rest[-1].continue_token}))
    assert names(rest) == [f"a/c{index:05}" for index in range(2, 6)]
    assert [found.remaining or 0 for found in rest] == [2, 0]
    with pytest.raises(ApiError) as caught:
        await api.page(resourceVersion=page.revision, resourceVersionMatch="Exact")
    assert caught.value.code == 410


async def test_a_page_of_the_past_reads_only_itself(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.fill(400)
    first = await api.page(limit=20)
    await api.client.delete(MAPS, "c00399", namespace="a")
    read: list[str] = []
    original = api.store.range

    async def read_range(*arguments: Any, **options: Any) -> RangeResult:
        found: RangeResult = await original(*arguments, **options)
        read.extend(item.key for item in found.key_values)
        assert not options.get("counted", True)
        return found

    monkeypatch.setattr(api.store, "range", read_range)
    second = await api.page(limit=20, **{"continue": first.continue_token})
    assert names([second]) == [f"a/c{index:05}" for index in range(20, 40)]
    assert (second.remaining, len(read)) == (360, 20)


class _Counting(dict[str, Any]):
    reads = 0

    def __getitem__(self, key: str) -> Any:
        _Counting.reads += 1
        return super().__getitem__(key)


async def test_a_page_of_the_present_looks_only_at_itself(api: Api) -> None:
    await api.fill(300)
    cache = api.server.registry.endpoint(MAPS).cache
    cache.entries = _Counting(cache.entries)
    await api.page(limit=1)
    _Counting.reads = 0
    page = await api.page(limit=10)
    await api.page(limit=10, **{"continue": page.continue_token})
    assert _Counting.reads == 20


async def test_sqlite_steps_for_a_page_do_not_grow_with_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, original = [0], sqlite3.connect

    def count() -> int:
        seen[0] += 1
        return 0

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = original(*arguments, **options)
        connection.set_progress_handler(count, 1)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)
    steps = []
    for number in (100, 1000):
        store = SqliteStore(tmp_path / f"{number}.db")
        await store.start()
        await store.transaction([_put(index) for index in range(number)])
        before = seen[0]
        found = await store.range("/k00010\0", "/l", limit=20, counted=False)
        steps.append(seen[0] - before)
        assert ([item.key for item in found.key_values], found.more) == ([f"/k{index:05}" for index in range(11, 31)], True)
        await store.close()
    assert 0 < steps[1] <= steps[0] * 1.2


def _put(index: int) -> Any:
    return Put(f"/k{index:05}", b"value", 0)


_TOKEN = "invalid continue token: continue key is not valid: "


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (b'{"v":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "exceeded max depth"),
        (b'{"v":"meta.k8s.io/v1","rv":Infinity,"start":"a"}', "invalid character 'I' looking for beginning of value"),
        (b'{"v":"meta.k8s.io/v1","rv":1e400,"start":"a"}', "json: cannot unmarshal number 1e400 into Go value of type float64"),
        (
            b'{"v":"meta.k8s.io/v1","rv":9223372036854775808,"start":"a"}',
            "json: cannot unmarshal number 9223372036854775808 into Go struct field continueToken.rv of type int64",
        ),
        (b'{"v":"meta.k8s.io/v1","rv":true}', "json: cannot unmarshal bool into Go struct field continueToken.rv of type int64"),
        (b'{"v":"meta.k8s.io/v1","start":{}}', "json: cannot unmarshal object into Go struct field continueToken.start of type string"),
        (b"[1]", "json: cannot unmarshal array into Go value of type storage.continueToken"),
    ],
    ids=["deep", "infinity", "huge", "large", "bool", "object", "array"],
)
async def test_forged_tokens_are_refused_in_words(api: Api, token: bytes, why: str) -> None:
    with pytest.raises(ApiError) as caught:
        await api.page(limit=1, **{"continue": base64.urlsafe_b64encode(token).rstrip(b"=").decode()})
    assert caught.value.status["message"] == _TOKEN + why
