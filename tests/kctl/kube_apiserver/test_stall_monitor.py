"""A request that holds the event loop is named in the log and in /metrics."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import orjson
import pytest

from kctl.apimachinery import json_patch
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.handlers import body
from kctl.kube_apiserver.registry.core.service import ServiceStrategy
from kctl.kube_apiserver.registry.strategy import Context
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


HEAD = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")]
POLICIES = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"


def test_large_objects_are_checked_beside_the_loop(server: ServerThread) -> None:
    """Also where a few bytes change an object that is large: what the loop's own thread does of it all is the smaller part by far."""
    peers = [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}] * 4000
    policy = {"metadata": {"name": "a"}, "spec": {"podSelector": {}, "ingress": peers}}
    patch = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/merge-patch+json")]
    connection = Connection(server.port)
    for raw, status in (
        (request_bytes("POST", POLICIES, HEAD, orjson.dumps(policy)), 201),
        (request_bytes("PATCH", f"{POLICIES}/a", patch, b'{"spec":{"policyTypes":["Ingress"]}}'), 200),
    ):
        loop, process = server.cpu_seconds(), time.process_time()
        assert connection.exchange(raw).status == status
        assert server.cpu_seconds() - loop < (time.process_time() - process) / 3
    connection.close()


def test_a_request_given_up_while_it_is_checked_gives_back_what_it_took(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, go_on, validate = threading.Event(), threading.Event(), ServiceStrategy.validate

    def slow(self: ServiceStrategy, context: Context, obj: Object) -> list[FieldError]:
        checked.set()
        go_on.wait(30)
        return validate(self, context, obj)

    def service(name: str, **annotations: str) -> bytes:
        spec = {"clusterIP": "10.96.0.77", "ports": [{"port": 80}]}
        return orjson.dumps({"metadata": {"name": name, "annotations": annotations}, "spec": spec})

    path = "/api/v1/namespaces/default/services"
    connection = Connection(server.port)
    with monkeypatch.context() as patched:
        patched.setattr(ServiceStrategy, "validate", slow)
        answer = connection.exchange(request_bytes("POST", f"{path}?timeout=300ms", HEAD, service("large", much="x" * 50_000)))
        assert answer.status == 504 and checked.is_set()
        go_on.set()
    assert connection.exchange(request_bytes("POST", path, HEAD, service("small"))).status == 201
    connection.close()


@pytest.mark.parametrize(
    ("begin", "status"), [("", 200), ("watch=true&resourceVersionMatch=Exact&", 422)], ids=["list", "watch that is refused afterwards"]
)
@pytest.mark.parametrize(
    "query",
    [
        "labelSelector=" + ",".join(f"k{number:05d}=v" for number in range(25_000)),
        "fieldSelector=" + ",".join(f"metadata.name!=x{number:05d}" for number in range(12_000)),
    ],
    ids=["labels", "fields"],
)
def test_long_selectors_do_not_hold_the_loop(server: ServerThread, query: str, begin: str, status: int) -> None:
    """Nearly all of the work is done beside the loop, by another thread of the process."""
    connection = Connection(server.port)
    head = [("Authorization", f"Bearer {TOKEN}")]
    selected = request_bytes("GET", f"{MAPS}?{begin}{query}", head)
    assert connection.exchange(request_bytes("GET", MAPS, head)).status == 200
    loop, process = server.cpu_seconds(), time.process_time()
    assert connection.exchange(selected).status == status
    loop, process = server.cpu_seconds() - loop, time.process_time() - process
    connection.close()
    assert loop < process / 2


def test_yaml_is_written_beside_the_loop(server: ServerThread) -> None:
    connection = Connection(server.port)
    data = {f"k{number}": "value" for number in range(5000)}
    assert connection.exchange(request_bytes("POST", MAPS, HEAD, orjson.dumps({"metadata": {"name": "a"}, "data": data}))).status == 201
    for path in (f"{MAPS}/a", MAPS):
        wanted = request_bytes("GET", path, [("Authorization", f"Bearer {TOKEN}"), ("Accept", "application/yaml")])
        connection.exchange(wanted)
        loop, process = server.cpu_seconds(), time.process_time()
        assert connection.exchange(wanted).status == 200
        assert server.cpu_seconds() - loop < (time.process_time() - process) / 2
    connection.close()


def test_a_small_patch_that_may_grow_is_applied_beside_the_loop(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int | None] = []
    apply = json_patch.apply

    def noted(document: object, operations: object) -> object:
        threads.append(threading.get_ident())
        return apply(document, operations)

    monkeypatch.setattr(json_patch, "apply", noted)
    connection = Connection(server.port)
    assert connection.exchange(request_bytes("POST", MAPS, HEAD, b'{"metadata":{"name":"a"},"data":{"a":"b"}}')).status == 201
    patch = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json-patch+json")]
    for operation in ({"op": "copy", "from": "/data/a", "path": "/data/b"}, {"op": "add", "path": "/data/c", "value": "d"}):
        assert connection.exchange(request_bytes("PATCH", f"{MAPS}/a", patch, orjson.dumps([operation]))).status == 200
    connection.close()
    assert [ident == server.thread.ident for ident in threads] == [False, True]
