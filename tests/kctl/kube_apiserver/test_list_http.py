"""Lists over HTTP: the same documents as ever, but sent piece by piece; what waits for a slow reader is little; others are answered."""

from __future__ import annotations

import asyncio
import itertools
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from kctl.apimachinery import yaml
from kctl.apimachinery.resources import built_in
from kctl.kube_apiserver import list_encoding, list_http
from kctl.kube_apiserver.filters import max_in_flight
from kctl.kube_apiserver.watch_cache import Entry
from tests.kctl.kube_apiserver.served import Connection, Served, served, until

PATH = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
NUMBER, SIZE = 60, 5_000
MORE = 60


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served(max_requests_inflight=3, max_mutating_requests_inflight=1) as found:
        await found.client.create(built_in("v1", "Namespace"), {"metadata": {"name": "default"}})
        await _fill(found, NUMBER, SIZE)
        yield found


async def _fill(api: Served, number: int, size: int) -> None:
    for index in range(number):
        obj = {"metadata": {"name": f"c{index:04}", "namespace": "default"}, "data": {"text": "x" * size + "\nä\n"}}
        await api.client.create(built_in("v1", "ConfigMap"), obj, namespace="default")


def _parsed(media: str, body: bytes) -> Any:
    return yaml.load(body) if "yaml" in media else orjson.loads(body)


@pytest.mark.parametrize(
    ("accept", "query", "parts"),
    [
        ("application/json", "", "items"),
        ("application/json", "&pretty=true", "items"),
        ("application/yaml", "", "items"),
        (TABLE, "", "rows"),
        (TABLE, "&includeObject=Object&pretty=1", "rows"),
        (TABLE.replace("json", "yaml"), "", "rows"),
        (METADATA, "", "items"),
        (METADATA.replace("json", "yaml"), "", "items"),
    ],
)
@pytest.mark.parametrize("limit", [0, 1, NUMBER], ids=["none", "one", "all"])
async def test_a_list_in_pieces_is_the_document_as_a_whole(api: Served, accept: str, query: str, parts: str, limit: int) -> None:
    connection = await api.connect()
    which = "labelSelector=no" if limit == 0 else f"limit={limit}"
    answer = await connection.ask(f"{PATH}?{which}{query}", Accept=accept)
    assert answer.status == 200
    assert answer.headers["content-type"] == accept.partition(";")[0]
    found = _parsed(accept, answer.body)
    assert len(found[parts]) == limit
    if "yaml" in accept:
        assert answer.body == yaml.dump(found).encode()
    elif "pretty" in query:
        assert answer.body == orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    else:
        assert answer.body == orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)
    if accept == "application/json" and limit:
        assert "kind" not in found["items"][0]


async def test_a_short_list_has_a_length_and_a_long_one_comes_in_chunks(api: Served) -> None:
    connection = await api.connect()
    assert "content-length" in (await connection.ask(f"{PATH}?limit=1")).headers
    assert (await connection.ask(PATH)).headers["transfer-encoding"] == "chunked"
    assert (await connection.ask(f"{PATH}?limit=1")).status == 200


async def test_http_1_0_gets_the_long_list_to_the_end_of_the_connection(api: Served) -> None:
    connection = await api.connect()
    connection.writer.write(f"GET {PATH} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer admin\r\n\r\n".encode())
    answer = await connection.answer()
    assert "transfer-encoding" not in answer.headers
    assert len(answer.json()["items"]) == NUMBER


async def test_gzip_as_upstream_for_long_lists_to_those_who_take_it(api: Served) -> None:
    connection = await api.connect()
    plain = await connection.ask(PATH)
    assert "content-encoding" not in plain.headers
    packed = await connection.ask(PATH, Accept_Encoding="deflate, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "accept-encoding"  # in lower case by the test's client
    assert zlib.decompress(packed.body, 31) == plain.body
    assert "content-encoding" not in (await connection.ask(f"{PATH}?limit=10", Accept_Encoding="gzip")).headers
    assert (await connection.ask(PATH, Accept_Encoding="gzip;q=0")).body == plain.body


async def test_a_refused_form_is_still_a_status(api: Served) -> None:
    connection = await api.connect()
    answer = await connection.ask(PATH, Accept=METADATA.replace("List", ""))
    assert (answer.status, answer.json()["reason"]) == (406, "NotAcceptable")


async def _held_up(api: Served, token: str = "jane") -> Connection:
    """A list that is being sent to a client that does not read."""
    connection = await api.connect(limit=1024)
    connection.send(PATH, token=token)
    await connection.reader.read(1)
    return connection


async def test_a_slow_reader_holds_no_copy_of_the_list(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    original = Entry.item

    def item(entry: Entry) -> bytes:
        nonlocal made
        made += 1
        return original(entry)

    await _fill_more(api)
    monkeypatch.setattr(Entry, "item", item)
    slow = await _held_up(api)
    for _ in range(50):
        await asyncio.sleep(0.01)
    assert 0 < made < NUMBER + 30  # the kernel's buffers took a few megabytes
    end = b""
    while not end.endswith(b"\r\n0\r\n\r\n"):
        end = end[-10:] + await slow.reader.read(1 << 20)
    assert made == NUMBER + MORE


async def _fill_more(api: Served) -> None:
    for index in range(MORE):
        obj = {"metadata": {"name": f"more{index}", "namespace": "default"}, "data": {"text": "y" * 800_000}}
        await api.client.create(built_in("v1", "ConfigMap"), obj, namespace="default")


async def test_others_have_their_turn_between_the_chunks(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many long lists at once: a small request is answered while most of their chunks are still to be made."""
    made = 0
    original = list_encoding.chunks

    def chunks(parts: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal made
        for chunk in original(parts):
            made += 1
            yield chunk

    monkeypatch.setattr(list_encoding, "chunks", chunks)
    lists = [await api.connect() for _ in range(40)]
    small = await api.connect()
    assert (await small.ask("/version")).status == 200
    for connection in lists:
        connection.send(PATH)
    answers = [asyncio.ensure_future(connection.answer()) for connection in lists]
    await until(lambda: made > 0, "the lists have begun")
    before = made
    assert (await small.ask("/version")).status == 200
    assert made - before < 40 * 4
    assert all(len(answer.json()["items"]) == NUMBER for answer in await asyncio.gather(*answers))


async def test_too_many_requests_are_refused_in_upstreams_words(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(max_in_flight, "WAIT_SECONDS", 0.05)
    await _fill_more(api)
    slow = [await _held_up(api) for _ in range(3)]
    connection = await api.connect()
    refused = await connection.ask(PATH, token="jane")
    assert (refused.status, refused.body) == (429, b"Too many requests, please try again later.\n")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["content-type"] == "text/plain; charset=utf-8"
    assert (await connection.ask(f"{PATH}?limit=1", token="admin")).status == 200
    body = orjson.dumps({"metadata": {"name": "new"}})
    assert (await connection.ask(PATH, "POST", body, token="jane", Content_Type="application/json")).status == 201
    connection.send(f"{PATH}?watch=true", token="jane")
    assert (await connection.head()).status == 200
    metrics = (await (await api.connect()).ask("/metrics")).body.decode()
    assert 'apiserver_current_inflight_requests{request_kind="readOnly"} 3' in metrics
    assert 'apiserver_dropped_requests_total{request_kind="readOnly"} 1' in metrics
    slow[0].writer.transport.abort()
    assert (await (await api.connect()).ask(f"{PATH}?limit=1", token="jane")).status == 200


async def test_whoever_waits_in_line_gets_the_next_slot(api: Served) -> None:
    await _fill_more(api)
    slow = [await _held_up(api) for _ in range(3)]
    waiting = await api.connect()
    answer = asyncio.ensure_future(waiting.ask(f"{PATH}?limit=1", token="jane"))
    await asyncio.sleep(0.05)
    assert not answer.done()
    slow[1].writer.transport.abort()
    assert (await answer).status == 200


def test_a_turn_is_no_more_than_a_few_chunks() -> None:
    assert list_http.TURNS * list_encoding.CHUNK_BYTES <= 1 << 20


def test_a_list_that_is_made_slowly_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty chunk would be taken for the end of the list."""
    seconds = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(seconds))
    assert list(list_encoding.chunks([b'{"items":[', b"", b"1", b",", b"2", b"]}"])) == [b'{"items":[', b"1", b",", b"2", b"]}"]
