"""Patches while others write the same object: nobody who names no resourceVersion may be told of a conflict."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.resources import CONFIG_MAPS
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.server import ApiServer
from store.sqlite import SqliteStore


async def test_patches_at_the_same_time_all_succeed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    await store.start()
    server = ApiServer(store, clock=FakeClock(), randomness=random.Random(1))
    await server.start()
    client = Client(server.transport(ADMIN))
    await client.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, "default")
    calls = [client.patch(CONFIG_MAPS, "a", {"data": {f"k{number}": "v"}}, "default") for number in range(6)]
    await asyncio.gather(*calls)
    stored = await client.get(CONFIG_MAPS, "a", "default")
    assert set(stored["data"]) == {f"k{number}" for number in range(6)}
    await server.stop()
    await store.close()
