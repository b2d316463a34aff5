"""A request that holds the event loop is named in the log and in /metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from kctl.kube_apiserver.handlers import body
from kctl.kube_apiserver.stall_monitor import NAME, StallMonitor
from tests.fuzz import server as fuzz_server
from tests.fuzz.exchange import Connection, request_bytes
from tests.fuzz.server import TOKEN, ServerThread

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with fuzz_server.running() as started:
        started.api.stalls._threshold = 0.3
        yield started


def test_a_slow_handler_is_named(server: ServerThread, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    decode = body.decode

    def slow(*arguments: object) -> object:
        time.sleep(0.4)
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(body, "decode", slow)
    connection = Connection(server.port)
    head = [("Authorization", f"Bearer {TOKEN}")]
    with caplog.at_level(logging.WARNING, "kctl.kube_apiserver.stall_monitor"):
        assert connection.exchange(request_bytes("POST", MAPS, head, b'{"metadata":{"name":"a"}}')).status == 201
        assert connection.exchange(request_bytes("GET", f"{MAPS}/a", head)).status == 200
    monkeypatch.undo()
    metrics = connection.exchange(request_bytes("GET", "/metrics", head)).body.decode()
    connection.close()
    (line,) = [record.getMessage() for record in caplog.records if MAPS in record.getMessage()]
    assert line.startswith(f'verb="CREATE" URI="{MAPS}" user="')
    assert "held the event loop for" in line and "(25 bytes of body)" in line
    assert f'{NAME}_count{{group="",resource="configmaps",subresource="",verb="CREATE",version="v1"}} 1' in metrics


def test_large_bodies_do_not_hold_the_loop(server: ServerThread, caplog: pytest.LogCaptureFixture) -> None:
    """What ends wrong takes long to explain; that is done beside the loop."""
    server.api.stalls = StallMonitor(10)
    connection = Connection(server.port)
    raw = b'{"metadata":{"name":"a"},"data":{' + b'"k":[[],[]],' * 20_000 + b"]"
    with caplog.at_level(logging.WARNING, "kctl.kube_apiserver.stall_monitor"):
        before = server.cpu_seconds()
        assert connection.exchange(request_bytes("POST", MAPS, [("Authorization", f"Bearer {TOKEN}")], raw)).status == 400
        assert server.cpu_seconds() - before < 0.1
    connection.close()
