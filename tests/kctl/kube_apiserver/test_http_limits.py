"""The port under clients that say too much, too little, or do not read: upstream's limits, Go's answers, bounded memory."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from kctl.apimachinery.resources import built_in
from kctl.kube_apiserver import http, http_protocol, watch_cache
from tests.kctl.kube_apiserver.served import Served, served, until

CONFIG_MAPS = built_in("v1", "ConfigMap")
PATH = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as found:
        await found.client.create(built_in("v1", "Namespace"), {"metadata": {"name": "default"}})
        yield found


async def test_a_selector_of_a_thousand_values_is_answered(api: Served) -> None:
    connection = await api.connect()
    values = ",".join(f"value-{number:06}-{'x' * 40}" for number in range(1000))
    answer = await connection.ask(f"{PATH}?labelSelector=a+in+({values})")
    assert (answer.status, answer.json()["items"]) == (200, [])


async def test_a_header_of_half_a_megabyte_is_taken(api: Served) -> None:
    connection = await api.connect()
    assert (await connection.ask(PATH, X_Padding="x" * 500_000)).status == 200
    assert (await connection.ask(PATH)).status == 200


async def test_more_parameters_than_go_reads_are_refused(api: Served) -> None:
    connection = await api.connect()
    answer = await connection.ask(f"{PATH}?" + "&".join(["a=b"] * 10_001))
    assert (answer.status, answer.json()["message"]) == (400, "more than 10000 query parameters")
    assert (await connection.ask(f"{PATH}?" + "&".join(["a=b"] * 10_000))).status == 200


async def test_of_a_very_long_accept_header_the_first_offers_count(api: Served) -> None:
    connection = await api.connect()
    assert (await connection.ask(PATH, Accept="application/yaml," * 1000)).headers["content-type"] == "application/yaml"
    assert (await connection.ask(PATH, Accept="," * 900_000)).status == 406
    assert (await connection.ask(PATH, Accept="text/html," * 1000 + "application/json")).status == 406
    assert (await connection.ask(PATH, Accept="text/html," * 999 + "application/json")).status == 200


@pytest.mark.parametrize(
    ("path", "status"), [("a/" * 300_000, 404), ("default/configmaps/" + "%61" * 300_000, 400)], ids=["parts", "escapes"]
)
async def test_very_long_paths_lead_nowhere(api: Served, path: str, status: int) -> None:
    assert (await (await api.connect()).ask(f"/api/v1/namespaces/{path}")).status == status


@pytest.mark.parametrize("headers", [1, 200], ids=["one header", "many headers"])
async def test_a_head_of_more_than_a_megabyte_is_a_431_as_of_go(api: Served, headers: int) -> None:
    connection = await api.connect()
    connection.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    line = b"X-Padding: " + b"x" * (1_200_000 // headers) + b"\r\n"
    for _ in range(headers):
        connection.writer.write(line)
    answer = await connection.answer()
    assert (answer.status, answer.body) == (431, b"431 Request Header Fields Too Large")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert await connection.reader.read() == b""


async def test_who_sends_on_after_being_refused_still_gets_the_answer(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_SECONDS", 20)
    connection = await api.connect()
    connection.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    for _ in range(3):
        for _ in range(200):
            connection.writer.write(b"X-Padding: " + b"x" * 6000 + b"\r\n")
        await connection.writer.drain()
    assert (await connection.answer()).status == 431
    assert await connection.reader.read() == b""


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"GET /version HTTP/1.1\r\n\r\n", b"400 Bad Request: missing required Host header"),
        (b"GET /version HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", b"400 Bad Request"),
        (b"GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400 Bad Request"),
    ],
    ids=["no request", "no host", "no header", "length"],
)
async def test_what_is_no_http_is_answered_as_by_go(api: Served, sent: bytes, expected: bytes) -> None:
    connection = await api.connect()
    connection.writer.write(sent)
    answer = await connection.answer()
    assert (answer.status, answer.body) == (400, expected)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert await connection.reader.read() == b""


async def test_an_unknown_method_is_a_status(api: Served) -> None:
    connection = await api.connect()
    answer = await connection.ask(PATH, "FOO")
    assert (answer.status, answer.json()["reason"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("first", [False, True], ids=["on a new connection", "after a request"])
async def test_a_half_sent_head_is_closed(api: Served, monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    connection = await api.connect()
    if first:
        assert (await connection.ask(PATH)).status == 200
    async with asyncio.timeout(20):
        with suppress(ConnectionError):  # of a busy client the head may come after the end
            connection.writer.write(b"GET / HTTP/1.1\r\nHost:")
            assert await connection.reader.read() == b""


async def test_a_silent_connection_is_closed(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    connection = await api.connect()
    async with asyncio.timeout(20):
        assert await connection.reader.read() == b""


async def test_a_slow_request_is_not_held_to_the_time_for_its_head(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    connection = await api.connect()
    connection.send(f"{PATH}?watch=true")
    assert (await connection.head()).status == 200
    await asyncio.sleep(0.2)
    await api.client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}}, namespace="default")
    assert b'"ADDED"' in (await connection.reader.readuntil(b"}\n"))


async def test_a_body_that_trickles_times_out(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_BODY_SECONDS", 0.05)
    connection = await api.connect()
    connection.writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 100\r\n\r\n{{".encode())
    answer = await connection.answer()
    assert (answer.status, answer.json()["reason"]) == (504, "Timeout")


def _protocols() -> set[int]:
    """Those alive anywhere in the process: a test that failed before keeps its own."""
    gc.collect()
    return {id(each) for each in gc.get_objects() if type(each) is http_protocol.Protocol}


async def test_a_watch_ends_with_its_connection_though_nothing_happens(api: Served) -> None:
    cache = api.server.registry.endpoint(CONFIG_MAPS).cache
    before, others = len(cache._watchers), _protocols()
    connections = [await api.connect() for _ in range(20)]
    for connection in connections:
        connection.send(f"{PATH}?watch=true&allowWatchBookmarks=true")
        assert (await connection.head()).status == 200
    assert len(cache._watchers) == before + 20
    api.disconnect()
    await until(lambda: len(cache._watchers) == before, "the watches ended")
    await until(lambda: api.server._listener._web.open == 0, "the connections ended")
    for _ in range(20):
        if _protocols() <= others:
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("something of them is left")


async def _write(api: Served, name: str, size: int, times: int) -> None:
    for number in range(times):
        obj = {"metadata": {"name": name, "namespace": "default"}, "data": {"text": f"{number} " + "x" * size}}
        if number == 0:
            await api.client.create(CONFIG_MAPS, obj, namespace="default")
        else:
            await api.client.update(CONFIG_MAPS, obj)
        await asyncio.sleep(0.001)  # the store in memory never lets go of the loop


async def test_a_watcher_that_does_not_read_is_cut_off_alone(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_cache, "MAX_BACKLOG_BYTES", 1 << 20)
    cache = api.server.registry.endpoint(CONFIG_MAPS).cache
    deaf, reading = await api.connect(limit=1024), await api.connect()
    for connection in (deaf, reading):
        connection.send(f"{PATH}?watch=true")
        assert (await connection.head()).status == 200
    seen = 0

    async def read() -> None:
        nonlocal seen
        while line := await reading.reader.readline():
            seen += line.startswith(b'{"type"')

    reader = asyncio.ensure_future(read())
    await _write(api, "a", 200_000, 200)
    await until(lambda: len(cache._watchers) == 1, "the deaf watcher was cut off")
    await until(lambda: seen == 200, "the other one saw everything")
    reader.cancel()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        while True:
            await deaf.reader.readexactly(1 << 20)


async def test_whoever_does_not_read_his_answer_is_cut_off(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", 0.2)
    for number in range(30):
        await _write(api, f"c{number}", 900_000, 1)
    deaf = await api.connect(limit=1024)
    deaf.send(PATH)
    await until(lambda: api.server._listener._web.open == 1, "it is connected")
    await until(lambda: api.server._listener._web.open == 0, "it was cut off")
