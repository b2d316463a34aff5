"""Large bodies: so much is parsed at a time, so much waits, and no room is lost."""

from __future__ import annotations

import asyncio
import gc

import pytest

from kctl.kube_apiserver.filters.max_in_flight import Bodies
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import Response
from tests.kctl.kube_apiserver.served import Connection, served, until

PATH = "/api/v1/namespaces/default/configmaps"


def test_weights() -> None:
    assert Bodies.weight(b"x" * 1000, "application/json") == 0
    assert Bodies.weight(b"x" * 100_000, "application/json") == 100_000
    assert Bodies.weight(b"x" * 100_000, "application/apply-patch+yaml") == 800_000


async def test_they_take_turns_in_the_order_they_came() -> None:
    bodies, order = Bodies(room=10, longest_line=100), list[int]()

    async def use(number: int, weight: int) -> None:
        assert await bodies.take(weight)
        order.append(number)
        assert bodies.held <= 10 or weight == bodies.held
        await asyncio.sleep(0)
        bodies.give_back(weight)

    await asyncio.gather(*(use(number, weight) for number, weight in enumerate((4, 5, 3, 50, 1, 10, 2))))
    assert order == list(range(7))
    assert (bodies.held, bodies.waiting) == (0, 0)


async def test_who_gives_up_leaves_the_line_and_no_room_is_lost() -> None:
    bodies = Bodies(room=10, longest_line=100)
    assert await bodies.take(10)
    first, second = asyncio.create_task(bodies.take(8)), asyncio.create_task(bodies.take(2))
    await asyncio.sleep(0)
    first.cancel()  # while it waits
    await asyncio.gather(first, return_exceptions=True)
    assert (bodies.held, bodies.waiting) == (10, 2)
    bodies.give_back(10)
    second.cancel()  # when it has room, and does not know it yet
    await asyncio.gather(second, return_exceptions=True)
    assert (bodies.held, bodies.waiting) == (0, 0)


async def test_a_line_that_is_too_long_is_refused() -> None:
    bodies = Bodies(room=10, longest_line=10)
    assert await bodies.take(10)
    waiting = asyncio.create_task(bodies.take(10))
    await asyncio.sleep(0)
    assert not await bodies.take(1)
    bodies.give_back(10)
    assert await waiting


async def test_only_so_many_large_bodies_are_handled_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as api:
        await (await api.connect()).ask(PATH, "POST", b"{}", content_type="application/json")  # which makes the way ready
        dispatcher = api.server._dispatcher
        handle, under_way, most = dispatcher.dispatch, list[int](), list[int]()

        async def followed(request: ResourceRequest) -> Response:
            under_way.append(len(request.raw_body or b""))
            most.append(sum(under_way))
            try:
                for _ in range(20):  # others would begin meanwhile
                    await asyncio.sleep(0)
                return await handle(request)
            finally:
                under_way.remove(len(request.raw_body or b""))

        monkeypatch.setattr(dispatcher, "dispatch", followed)
        body = b'{"metadata":{"name":"x"},"data":[' + b" " * 2_900_000 + b"]}"
        connections: list[Connection] = [await api.connect() for _ in range(16)]
        answers = await asyncio.gather(*(each.ask(PATH, "POST", body, content_type="application/json") for each in connections))
        assert {answer.status for answer in answers} == {400}
        assert len(most) == 16 and max(most) <= 24 << 20, max(most)


@pytest.mark.parametrize(
    ("method", "name", "content_type", "status"),
    [
        ("POST", "", "application/json", 400),
        ("POST", "", "application/yaml", 400),
        ("PUT", "/there", "application/json", 400),
        ("PATCH", "/there", "application/merge-patch+json", 422),
        ("PATCH", "/there?fieldManager=m", "application/apply-patch+yaml", 500),
    ],
)
async def test_a_refused_body_is_forgotten_at_once(method: str, name: str, content_type: str, status: int) -> None:
    """What was read of it is in no cycle: the collector comes by every few minutes only, and a body can be sixty megabytes by then."""
    async with served() as api:
        connection = await api.connect()
        await connection.ask("/api/v1/namespaces", "POST", b'{"metadata":{"name":"default"}}', content_type="application/json")
        assert (await connection.ask(PATH, "POST", b'{"metadata":{"name":"there"}}', content_type="application/json")).status == 201
        head = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"there"},"data":{"a":['
        body = head + b",".join([b"[]"] * 10_007) + b"]}}"
        gc.disable()
        gc.freeze()  # so that only what comes now is looked through
        try:
            assert (await connection.ask(PATH + name, method, body, content_type=content_type)).status == status
            assert (await connection.ask(PATH)).status == 200  # the connection is with another request, the thread done
            await until(lambda: not [each for each in gc.get_objects() if type(each) is list and len(each) == 10_007], "nothing is kept")
        finally:
            gc.unfreeze()
            gc.enable()
