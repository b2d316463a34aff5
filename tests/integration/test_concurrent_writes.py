"""Many writers of one object at the same time, through the API server over a real store: who wins, who is told of a conflict, and
what each is answered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS
from kctl.apimachinery.status import ApiError, Conflict
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.server import ApiServer
from store.sqlite import SqliteStore

pytestmark = pytest.mark.real_time


class CountingStore(SqliteStore):
    updates = 0

    async def update(self, key: str, value: bytes, mod_revision: int, *, tag: object = None) -> int:
        self.updates += 1
        return await super().update(key, value, mod_revision, tag=tag)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    made = CountingStore(tmp_path / "state.db")
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def client(store: SqliteStore) -> AsyncIterator[Client]:
    server = ApiServer(store, clock=FakeClock(), randomness=random.Random(1))
    await server.start()
    yield Client(server.transport(ADMIN))
    await server.stop()


def _config_map(data: dict[str, str], **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default", **metadata}, "data": data}


async def test_patches_at_the_same_time_all_succeed(client: Client) -> None:
    await client.create(CONFIG_MAPS, _config_map({}), "default")
    calls = [client.patch(CONFIG_MAPS, "a", {"data": {f"k{number}": "v"}}, "default") for number in range(6)]
    await asyncio.gather(*calls)
    stored = await client.get(CONFIG_MAPS, "a", "default")
    assert set(stored["data"]) == {f"k{number}" for number in range(6)}


async def test_equal_updates_at_the_same_time_are_all_answered_with_a_revision(client: Client) -> None:
    """Three writers of the same bytes: whoever loses or changes nothing must not take another's answer away."""
    for turn in range(5):
        obj = _config_map({"turn": str(turn)})
        if turn == 0:
            await client.create(CONFIG_MAPS, obj, "default")
            continue
        answers = await asyncio.gather(*(client.update(CONFIG_MAPS, obj) for _ in range(3)))
        stored = await client.get(CONFIG_MAPS, "a", "default")
        revisions = [answer["metadata"].get("resourceVersion") for answer in answers]
        assert revisions == [stored["metadata"]["resourceVersion"]] * 3


CROWD = 60


async def test_who_names_no_revision_wins_whatever_the_crowd(client: Client, store: CountingStore) -> None:
    await client.create(CONFIG_MAPS, _config_map({}), "default")
    patches = [client.patch(CONFIG_MAPS, "a", {"metadata": {"labels": {f"k{number}": "v"}}}, "default") for number in range(CROWD)]
    updates = [client.update(CONFIG_MAPS, _config_map({"by": str(number)}, labels={"mine": "v"})) for number in range(CROWD)]
    before = store.updates
    answers = await asyncio.gather(*patches, *updates)
    assert len({answer["metadata"]["resourceVersion"] for answer in answers}) == 2 * CROWD
    assert store.updates - before <= 3 * 2 * CROWD, "each loser may try again only when it is his turn"
    stored = await client.get(CONFIG_MAPS, "a", "default")
    newest = max(answers, key=lambda answer: int(answer["metadata"]["resourceVersion"]))
    assert stored == newest


async def test_deletions_win_too(client: Client) -> None:
    await client.create(CONFIG_MAPS, _config_map({}, finalizers=["example.com/stays"]), "default")
    patches = [client.patch(CONFIG_MAPS, "a", {"data": {f"k{number}": "v"}}, "default") for number in range(CROWD)]
    results = await asyncio.gather(client.delete(CONFIG_MAPS, "a", "default"), *patches)
    stored = await client.get(CONFIG_MAPS, "a", "default")
    assert len(results) == CROWD + 1 and len(stored["data"]) == CROWD and stored["metadata"]["deletionTimestamp"]


async def test_of_those_who_name_the_revision_one_wins_and_the_others_are_told(client: Client) -> None:
    made = await client.create(CONFIG_MAPS, _config_map({}), "default")
    at = made["metadata"]["resourceVersion"]
    pinned = [client.update(CONFIG_MAPS, _config_map({"by": str(number)}, resourceVersion=at)) for number in range(CROWD)]
    patch = {"metadata": {"resourceVersion": at}, "data": {"by": "patch"}}
    results = await asyncio.gather(*pinned, client.patch(CONFIG_MAPS, "a", patch, "default"), return_exceptions=True)
    assert Counter(type(result) for result in results) == {dict: 1, Conflict: CROWD}
    assert all("the object has been modified" in str(result) for result in results if isinstance(result, ApiError))
