"""What clients see when the disk fails or what is stored is damaged."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.resources import CONFIG_MAPS
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.storage import StorageError
from store.sqlite import SqliteStore
from tests.store.failing_disk import FULL, FailingDisk


def _config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


async def _answer(client: Client, path: str) -> tuple[int, str]:
    response = await client.transport.raw("GET", path.partition("?")[0], query={"verbose": ""} if "?" in path else {})
    return response.status, response.body.decode()


async def test_a_full_disk_is_an_error_to_writers_and_to_nobody_else(tmp_path: Path) -> None:
    disk = FailingDisk()
    store = SqliteStore(tmp_path / "state.db", connect=disk.connect)
    await store.start()
    server = ApiServer(store, clock=FakeClock(), randomness=random.Random(1))
    await server.start()
    client = Client(server.transport(ADMIN))
    await client.create(CONFIG_MAPS, _config_map("kept"), "default")
    assert (await _answer(client, "/readyz"))[0] == 200
    disk.refuses_commits = FULL
    writes = [client.create(CONFIG_MAPS, _config_map(f"lost-{number}"), "default") for number in range(5)]
    changed = {**_config_map("kept"), "data": {"a": "b"}}
    results = await asyncio.gather(
        *writes,
        client.update(CONFIG_MAPS, changed),
        client.patch(CONFIG_MAPS, "kept", {"data": {"a": "c"}}, "default"),
        client.delete(CONFIG_MAPS, "kept", "default"),
        return_exceptions=True,
    )
    for result in results:
        assert isinstance(result, ApiError)
        assert (result.http_status, result.message) == (500, f"etcdserver: write failed: {FULL}")
    names = [item["metadata"]["name"] for item in (await client.list(CONFIG_MAPS, "default"))["items"]]
    assert "kept" in names and not any(name.startswith("lost") for name in names)
    assert await _answer(client, "/readyz") == (500, (await _answer(client, "/readyz?verbose"))[1])
    assert "[-]etcd failed: reason withheld\n" in (await _answer(client, "/readyz?verbose"))[1]
    assert await _answer(client, "/readyz/etcd") == (500, f"internal server error: etcd: write failed: {FULL}\n")
    assert (await _answer(client, "/livez"))[0] == 200
    disk.refuses_commits = ""
    for number in range(5):
        await client.create(CONFIG_MAPS, _config_map(f"lost-{number}"), "default")
    assert (await client.patch(CONFIG_MAPS, "kept", {"data": {"a": "c"}}, "default"))["data"] == {"a": "c"}
    assert (await _answer(client, "/readyz"))[0] == 200
    await server.stop()
    await store.close()


@pytest.mark.parametrize("value", ["{not json", "[1]", '{"kind": "ConfigMap"}', ""])
async def test_a_stored_value_that_is_no_object_is_named_with_what_to_do(tmp_path: Path, value: str) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    await store.start()
    await store.create("/registry/core/configmaps/default/damaged", value.encode())
    for number in range(12):
        await store.create(f"/registry/core/secrets/default/{number:02}", b"rubbish")
    server = ApiServer(store, clock=FakeClock(), randomness=random.Random(1))
    with pytest.raises(StorageError) as caught:
        await server.start()
    text = str(caught.value)
    assert text.startswith("the stored value of /registry/core/configmaps/default/damaged at revision 1 cannot be decoded: ")
    assert "(and 12 more: /registry/core/secrets/default/00, " in text and "/09, ...)" in text
    assert store.revision == 13, "nothing was written over it"
    await store.close()
    statement = text.partition('sqlite-utils state.db "')[2].rstrip('"')
    await asyncio.to_thread(subprocess.run, [sys.executable, "-m", "sqlite_utils", str(path), statement], check=True, capture_output=True)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM log WHERE key LIKE '/registry/core/secrets/%'")
    await store.start()
    server = ApiServer(store, clock=FakeClock(), randomness=random.Random(1))
    await server.start()
    await server.stop()
    await store.close()
