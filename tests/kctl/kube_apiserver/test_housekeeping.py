"""Old history and old Events go; what is recent stays."""

from __future__ import annotations

import random

import pytest

from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.resources import CONFIG_MAPS, EVENTS
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.housekeeping import INTERVAL_SECONDS
from kctl.kube_apiserver.server import ApiServer
from store.errors import Compacted
from store.memory import MemoryStore

pytestmark = pytest.mark.virtual_time


async def test_history_is_compacted_one_round_late() -> None:
    clock, store = VirtualClock(), MemoryStore()
    await store.start()
    server = ApiServer(store, clock=clock, randomness=random.Random(1))
    await server.start()
    client = Client(server.transport(ADMIN))
    first = await client.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, "default")
    await clock.step(INTERVAL_SECONDS)
    assert store.compact_revision < int(first["metadata"]["resourceVersion"])
    await clock.step(INTERVAL_SECONDS)
    assert store.compact_revision >= int(first["metadata"]["resourceVersion"])
    with pytest.raises(Compacted):
        await store.get("/registry/core/configmaps/default/a", revision=1)
    await server.stop()


async def test_events_expire_an_hour_after_they_were_seen() -> None:
    clock, store = VirtualClock(), MemoryStore()
    await store.start()
    server = ApiServer(store, clock=clock, randomness=random.Random(1))
    await server.start()
    client = Client(server.transport(ADMIN))

    def event(name: str) -> dict[str, object]:
        return {"metadata": {"name": name}, "involvedObject": {"namespace": "default"}, "type": "Normal", "reason": "R"}

    await client.create(EVENTS, event("old"), "default")
    await clock.step(1800)
    await client.create(EVENTS, event("young"), "default")
    await clock.step(2400)
    left = await client.list(EVENTS, "default")
    assert [item["metadata"]["name"] for item in left["items"]] == ["young"]
    await server.stop()
