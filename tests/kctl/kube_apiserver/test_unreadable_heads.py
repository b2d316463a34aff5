"""Heads that are no HTTP: what asked by HEAD gets no body, not even from an answer that could not know the request."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kctl.kube_apiserver.served import Served, served

UNREADABLE = (
    b"%s /api HTTP/1.1\r\nHost: x\r\nUser-Agent: \x01\r\n\r\n",
    b"%s /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"%s http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"%s /api HTTP/9.9\r\nHost: x\r\n\r\n",
    b"%s /api HTTP/1.1\r\nno header\r\n\r\n",
    b"%s /api HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    b"%s /api HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_100_000 + b"\r\n\r\n",
)


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


@pytest.mark.parametrize("head", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_only_who_did_not_ask_by_head_gets_a_body(api: Served, head: bytes) -> None:
    bodies = {}
    for method in (b"HEAD", b"GET"):
        connection = await api.connect()
        connection.writer.write(head.replace(b"%s", method))
        answer = await connection.reader.read()
        status, _, bodies[method] = answer.partition(b"\r\n\r\n")
        assert status.split(b" ")[1][:1] in (b"4", b"5"), answer[:200]
    assert bodies[b"GET"] and not bodies[b"HEAD"]


async def test_a_head_that_comes_in_pieces_is_one_of_them(api: Served) -> None:
    connection = await api.connect()
    for piece in (b"HEAD /api HTTP/1.1\r\n", b"Host: x\r\n", b"User-Agent: \x01\r\n\r\n"):
        connection.writer.write(piece)
        await connection.writer.drain()
    assert (await connection.reader.read()).partition(b"\r\n\r\n")[2] == b""
