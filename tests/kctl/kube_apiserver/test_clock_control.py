"""/kctl.dev/clock: the time of a cluster is shown and steered, and what people and sockets wait for keeps the machine's."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from kctl.apimachinery.clock import NEW_YEAR, Clock, VirtualClock
from kctl.apimachinery.resources import CONFIG_MAPS, SERVICE_ACCOUNTS
from kctl.apimachinery.steerable_clock import SteerableClock
from kctl.apimachinery.user import ADMIN, User
from kctl.apimachinery.virtual_time import QuietLoop
from kctl.client.client import Client
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

pytestmark = pytest.mark.virtual_time
PATH = "/kctl.dev/clock"
MACHINE = VirtualClock()


async def serving(clock: Clock) -> ApiServer:
    server = ApiServer(MemoryStore(), clock=clock, randomness=random.Random(1))
    await server.start()
    return server


def steerable() -> SteerableClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, QuietLoop)
    return SteerableClock(MACHINE, settle=loop.quiet)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    made = await serving(steerable())
    yield made
    await made.stop()


async def ask(server: ApiServer, method: str, body: Any = None, user: User = ADMIN, path: str = PATH) -> tuple[int, list[dict[str, Any]]]:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await server.handle_raw(method, path, {}, data, {}, user)
    return answer.status, [json.loads(line) for line in answer.body.splitlines()]


async def test_the_time_is_shown(server: ApiServer) -> None:
    await asyncio.sleep(90)
    shown = {"kind": "Clock", "apiVersion": "kctl.dev/v1", "time": "2026-01-01T00:01:30.000000Z", "speed": 1.0, "paused": False}
    assert await ask(server, "GET") == (200, [shown])


async def test_it_is_paused_resumed_and_made_faster(server: ApiServer) -> None:
    assert (await ask(server, "PUT", {"paused": True}))[1][0]["paused"] is True
    await asyncio.sleep(60)
    assert (await ask(server, "GET"))[1][0]["time"] == "2026-01-01T00:00:00.000000Z"
    assert (await ask(server, "PUT", {"speed": 60}))[1][0] | {"time": ""} == {
        "kind": "Clock",
        "apiVersion": "kctl.dev/v1",
        "time": "",
        "speed": 60.0,
        "paused": True,
    }
    assert (await ask(server, "PUT", {"paused": False}))[1][0]["paused"] is False
    await asyncio.sleep(60)
    assert (await ask(server, "GET"))[1][0]["time"] == "2026-01-01T01:00:00.000000Z"


async def test_a_step_tells_how_far_it_is(server: ApiServer) -> None:
    status, lines = await ask(server, "PUT", {"step": "1h30m"})
    assert status == 200 and lines[-1]["time"] == "2026-01-01T01:30:00.000000Z" and "step" not in lines[-1]
    assert lines[0]["step"] == "1h30m0s"


async def test_one_step_at_a_time(server: ApiServer) -> None:
    clock = server.clock
    assert isinstance(clock, SteerableClock)
    met: list[Any] = []

    async def second() -> None:
        for body in ({"step": "1s"}, {"paused": True}, {"speed": 2}):
            met.append(await ask(server, "PUT", body))

    clock.call_later(10, lambda: asyncio.ensure_future(second()))
    assert (await ask(server, "PUT", {"step": "1m"}))[0] == 200
    assert [status for status, _ in met] == [409, 409, 409]
    assert met[0][1][0]["reason"] == "Conflict" and "is being stepped" in met[0][1][0]["message"]


async def test_two_steps_asked_for_at_once_are_one_step(server: ApiServer) -> None:
    first, second = await asyncio.gather(ask(server, "PUT", {"step": "1m"}), ask(server, "PUT", {"step": "1h"}))
    assert first[1][-1]["time"] == "2026-01-01T00:01:00.000000Z"
    assert second[1][-1]["reason"] == "Conflict"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body must be a JSON object"),
        (b"[]", "the body must be a JSON object"),
        (b"{", "the body must be a JSON object"),
        (b"{}", "one of paused, speed, step"),
        (b'{"paused": true, "speed": 2}', "one of paused, speed, step"),
        (b'{"pause": true}', "one of paused, speed, step"),
        (b'{"paused": ' + b" " * 2000 + b"true}", "the body must be a JSON object"),
        (b'{"paused": "yes"}', 'paused: Invalid value: "yes": must be true or false'),
        (b'{"paused": 1}', "must be true or false"),
        (b'{"speed": true}', "must be a number"),
        (b'{"speed": "60"}', "must be a number"),
        (b'{"speed": 0}', "speed: Invalid value: 0: must be between 0.001 and 100000"),
        (b'{"speed": 1e300}', "must be between 0.001 and 100000"),
        (b'{"step": 60}', "must be a duration, as 1h30m"),
        (b'{"step": "1d"}', 'step: Invalid value: "1d": time: invalid duration "1d"'),
        (b'{"step": "0s"}', "must be greater than 0 and at most 8784h"),
        (b'{"step": "-1h"}', "must be greater than 0 and at most 8784h"),
        (b'{"step": "8785h"}', "must be greater than 0 and at most 8784h"),
    ],
)
async def test_what_is_not_understood_is_a_status(server: ApiServer, body: bytes, says: str) -> None:
    status, (answer,) = await ask(server, "PUT", body)
    assert (status, answer["kind"], answer["reason"]) == (400, "Status", "BadRequest")
    assert says in answer["message"]
    assert (await ask(server, "GET"))[1][0]["speed"] == 1.0


async def test_other_methods_and_paths(server: ApiServer) -> None:
    assert (await ask(server, "DELETE"))[0] == 405
    assert (await server.handle_raw("GET", "/kctl.dev/other", {}, None, {}, ADMIN)).status == 404


async def test_who_may_steer_is_authorized(server: ApiServer) -> None:
    status, (answer,) = await ask(server, "PUT", {"paused": True}, User("jane", ("system:authenticated",)))
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert answer["message"] == 'forbidden: User "jane" cannot put path "/kctl.dev/clock"'
    assert (await ask(server, "GET", None, User("jane", ("system:authenticated",))))[0] == 403


async def test_a_clock_that_cannot_be_steered_says_so() -> None:
    server = await serving(VirtualClock())
    status, (answer,) = await ask(server, "GET")
    assert (status, answer["message"]) == (404, "the time of this cluster cannot be steered")
    await server.stop()


async def test_a_watch_of_a_paused_cluster_ends_by_the_machines_time(server: ApiServer) -> None:
    await ask(server, "PUT", {"paused": True})
    began = MACHINE.monotonic()
    query = {"watch": "true", "timeoutSeconds": "150", "allowWatchBookmarks": "true"}
    watching = asyncio.ensure_future(server.handle_raw("GET", "/api/v1/secrets", query, None, {}, ADMIN))
    await asyncio.sleep(1)
    await Client(server.transport(ADMIN)).create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
    events = [json.loads(line)["type"] for line in (await watching).body.splitlines()]
    assert MACHINE.monotonic() - began == 150 and events[-1] == "BOOKMARK"


async def test_tokens_expire_by_the_clusters_time(server: ApiServer) -> None:
    client = Client(server.transport(ADMIN))
    await client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "robot", "namespace": "default"}})
    asked = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"expirationSeconds": 3600}}
    path = "/api/v1/namespaces/default/serviceaccounts/robot/token"
    _, (answer,) = await ask(server, "POST", asked, path=path)
    assert answer["status"]["expirationTimestamp"] == "2026-01-01T01:00:00Z"
    tokens = server.parts.service_account_tokens
    assert tokens.verify(answer["status"]["token"]) is not None
    await ask(server, "PUT", {"step": "2h"})
    assert tokens.verify(answer["status"]["token"]) is None


async def test_what_is_created_has_the_clusters_time(server: ApiServer) -> None:
    await ask(server, "PUT", {"step": "24h"})
    made = await Client(server.transport(ADMIN)).create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
    assert made["metadata"]["creationTimestamp"] == "2026-01-02T00:00:00Z"
    assert server.now() - NEW_YEAR == timedelta(days=1)
