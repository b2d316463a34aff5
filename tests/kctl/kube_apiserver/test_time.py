"""What kube-apiserver does by time it does by its clock: bookmarks, the end of a watch, the deadline of a request."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from kctl.apimachinery.clock import NEW_YEAR, ScaledClock, VirtualClock
from kctl.apimachinery.resources import NAMESPACES
from kctl.apimachinery.status import Timeout
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.filters.deadline import with_deadline
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import ObjectAnswer
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


async def test_a_quiet_watch_gets_bookmarks_and_ends_by_the_servers_clock() -> None:
    config = ApiServerConfig(bootstrap=False)
    server = ApiServer(MemoryStore(), clock=ScaledClock(200, NEW_YEAR), randomness=random.Random(1), config=config)
    await server.start()
    # the first watch and the first creation of a server wait for what they need
    await server.handle_raw("GET", "/api/v1/configmaps", {"watch": "true", "timeoutSeconds": "1"}, None, {}, ADMIN)
    await Client(server.transport(ADMIN)).create(NAMESPACES, {"metadata": {"name": "before"}})
    query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "200", "resourceVersion": str(server.storage.revision)}
    watching = asyncio.create_task(server.handle_raw("GET", "/api/v1/configmaps", query, None, {}, ADMIN))
    await asyncio.sleep(0)
    elsewhere = await Client(server.transport(ADMIN)).create(NAMESPACES, {"metadata": {"name": "elsewhere"}})
    body = (await asyncio.wait_for(watching, 30)).body
    events = [json.loads(line) for line in body.splitlines()]
    assert {event["type"] for event in events} == {"BOOKMARK"}
    assert int(elsewhere["metadata"]["resourceVersion"]) <= int(events[-1]["object"]["metadata"]["resourceVersion"])
    await server.stop()


async def test_the_deadline_of_a_request_is_the_servers_time() -> None:
    clock = ScaledClock(1000, NEW_YEAR)

    async def slow(request: Request) -> ObjectAnswer:
        await clock.sleep(3600)
        return ObjectAnswer({})

    limited = with_deadline(slow, clock)
    with pytest.raises(Timeout, match="request did not complete within the allotted timeout"):
        await asyncio.wait_for(limited(Request(verb="list", query={"timeout": "20s"})), 3)


@pytest.mark.virtual_time
async def test_in_simulated_time_no_thread_decides_what_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long selectors and large bodies are read beside the loop, but where time is simulated: there all has the same order each time."""

    async def to_thread(*_: object) -> None:
        raise AssertionError("a thread")

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    server = ApiServer(MemoryStore(), clock=VirtualClock(), randomness=random.Random(1))
    await server.start()
    query = {"labelSelector": ",".join(f"k{number:05d}=v" for number in range(2000))}
    assert (await server.handle_raw("GET", "/api/v1/configmaps", query, None, {}, ADMIN)).status == 200
    body = json.dumps({"kind": "DeleteOptions", "apiVersion": "v1", "padding": "x" * 50_000}).encode()
    head = {"Content-Type": "application/json"}
    assert (await server.handle_raw("DELETE", "/api/v1/namespaces/default/configmaps/a", {}, body, head, ADMIN)).status == 404
    await server.stop()
