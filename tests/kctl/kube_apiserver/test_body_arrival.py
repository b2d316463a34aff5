"""When a body is read: not before it is known who asks and that they may; and what becomes of one that does not come whole."""

from __future__ import annotations

import logging

import pytest

from tests.kctl.kube_apiserver.served import Answer, Connection, Served, served, until

PATH = "/api/v1/namespaces/default/configmaps"
BODY = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"made"}}'


def head(token: str, *lines: str, length: int = 3_000_000) -> bytes:
    first = (f"POST {PATH} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", "Content-Type: application/json")
    size = () if any(line.startswith("Transfer") for line in lines) else (f"Content-Length: {length}",)
    return "\r\n".join([*first, *size, *lines, "", ""]).encode()


async def default_namespace(api: Served) -> Connection:
    connection = await api.connect()
    await connection.ask("/api/v1/namespaces", "POST", b'{"metadata":{"name":"default"}}', content_type="application/json")
    return connection


@pytest.mark.parametrize(("token", "status"), [("nobody", 401), ("jane", 403)])
async def test_who_may_not_is_told_so_before_the_body_comes(token: str, status: int) -> None:
    async with served(authorization_modes=("RBAC",)) as api:
        connection = await api.connect()
        connection.writer.write(head(token))
        assert (await connection.answer()).status == status
        connection.writer.write(b" " * 3_000_000)  # thrown away: the next request is understood
        assert (await connection.ask("/version")).status == 200


async def continued(connection: Connection) -> Answer:
    found = await connection.head()
    assert found.status == 100
    connection.writer.write(BODY)
    return await connection.answer()


async def test_a_client_that_waits_is_told_to_go_on() -> None:
    async with served() as api:
        connection = await default_namespace(api)
        connection.writer.write(head("admin", "Expect: 100-continue", length=len(BODY)))
        assert (await continued(connection)).status == 201
        assert (await connection.ask(f"{PATH}/made")).status == 200


async def test_a_client_that_waits_and_may_not_is_told_so_and_the_connection_ends() -> None:
    """It may send the body or not: what follows on the connection could be either."""
    async with served() as api:
        connection = await api.connect()
        connection.writer.write(head("nobody", "Expect: 100-continue"))
        answer = await connection.answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")


async def test_other_expectations_are_not_met() -> None:
    async with served() as api:
        connection = await api.connect()
        connection.writer.write(head("admin", "Expect: a-pony", length=len(BODY)) + BODY)
        assert (await connection.answer()).status == 417


@pytest.mark.parametrize("token", ["nobody", "admin"])
async def test_a_client_that_leaves_in_the_middle_leaves_no_trace(token: str, caplog: pytest.LogCaptureFixture) -> None:
    """It made a traceback each, whoever it was."""
    async with served() as api:
        await default_namespace(api)
        open_before = api.server._listener._web.open
        with caplog.at_level(logging.INFO):
            for _ in range(5):
                connection = await api.connect()
                connection.writer.write(head(token) + BODY)
                if token == "nobody":
                    await connection.answer()
                connection.writer.transport.abort()
            await until(lambda: api.server._listener._web.open == open_before, "they are gone")
            await until(lambda: not api.server._listener._running, "nothing waits for them")
        assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []
        assert (await (await api.connect()).ask(f"{PATH}/made")).status == 404


async def test_chunks_that_are_none_end_the_request(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as api:
        await default_namespace(api)
        connection = await api.connect()
        connection.writer.write(head("admin", "Transfer-Encoding: chunked", "Expect: 100-continue"))
        assert (await connection.head()).status == 100  # it is being read
        connection.writer.write(b"2\r\n{}\r\nzz\r\n")
        assert (await connection.answer()).status == 400
        assert [record for record in caplog.records if record.exc_info] == []


async def test_a_body_that_is_too_large_is_refused_when_that_is_seen() -> None:
    async with served(max_request_bytes=1000) as api:
        connection = await api.connect()
        connection.writer.write(head("admin", length=1001))
        assert (await connection.answer()).status == 413
