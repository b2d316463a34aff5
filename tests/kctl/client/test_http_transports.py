"""Both HTTP transports against one server of canned answers: bodies, streams, kept connections, failures."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import NotFound
from kctl.client.blocking_transport import BlockingTransport
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.https_transport import HttpsTransport
from kctl.client.transport import ApiRequest, Transport

EVENTS = [{"type": "ADDED", "object": {"metadata": {"name": str(index)}}} for index in range(3)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ports: list[int] = []
    paths: list[str] = []

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _chunks(self, *parts: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (*parts, b""):
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    def do_GET(self) -> None:
        self.ports.append(self.client_address[1])
        self.paths.append(self.path)
        if "watch=true" in self.path:
            text = b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS)
            self._chunks(text[:20], text[20:90], text[90:])
        elif self.path.endswith("/log"):
            self._chunks(b"one\n", b"two\n")
        elif self.path.endswith("/missing"):
            status = {"kind": "Status", "reason": "NotFound", "message": 'pods "missing" not found', "code": 404}
            self._send(404, json.dumps(status).encode())
        elif self.path.endswith("/closing"):
            self._send(200, b'{"kind": "Pod"}', Connection="close")
            self.close_connection = True
        elif self.path.endswith("/chunked"):
            self._chunks(b'{"kind":', b' "Pod"}')
        else:
            self._send(200, b'{"kind": "Pod"}', Warning='299 - "careful \\"now\\""')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(201, body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/prefix"
    made.shutdown()
    made.server_close()


Make = Callable[..., Transport]


@pytest.fixture(params=[HttpsTransport, BlockingTransport])
def make(request: pytest.FixtureRequest) -> Make:
    cls: Make = request.param
    return lambda server, **more: cls(server, None, **more)


async def test_bodies_and_one_connection(server: str, make: Make) -> None:
    Handler.ports.clear()
    transport = make(server)
    client = Client(transport)
    assert await client.get(PODS, "a", "default") == {"kind": "Pod"}
    assert await client.get(PODS, "chunked", "default") == {"kind": "Pod"}
    with pytest.raises(NotFound, match='pods "missing" not found'):
        await client.get(PODS, "missing", "default")
    assert await client.create(PODS, {"a": "é"}, "default") == {"a": "é"}
    await client.close()
    assert len(set(Handler.ports)) == 1


async def test_a_closed_connection_is_replaced(server: str, make: Make) -> None:
    client = Client(make(server))
    for _ in range(3):
        assert await client.get(PODS, "closing", "default") == {"kind": "Pod"}
    await client.close()


async def test_watch_in_pieces(server: str, make: Make) -> None:
    client = Client(make(server))
    seen = [event.object["metadata"]["name"] async for batch in await client.watch(PODS, "default", name="x") for event in batch]
    assert seen == ["0", "1", "2"]
    assert "fieldSelector=metadata.name%3Dx" in Handler.paths[-1]
    await client.close()


async def test_log(server: str, make: Make) -> None:
    client = Client(make(server))
    assert b"".join([part async for part in await client.logs("a", "default")]) == b"one\ntwo\n"
    await client.close()


async def test_warnings_are_reported(server: str, make: Make) -> None:
    heard: list[str] = []
    transport = make(server, on_warning=heard.append)
    response = await transport.request(ApiRequest("get", PODS, "default", "a"))
    assert heard == list(response.warnings) == ['careful "now"']
    await transport.close()


async def test_raw(server: str, make: Make) -> None:
    transport = make(server)
    response = await transport.raw("GET", "/version", query={"timeout": "32s"})
    assert (response.status, response.body) == (200, b'{"kind": "Pod"}')
    assert Handler.paths[-1] == "/prefix/version?timeout=32s"
    await transport.close()


async def test_refused(make: Make) -> None:
    transport = make("http://127.0.0.1:1")
    with pytest.raises(ConnectionFailed) as caught:
        await transport.raw("GET", "/version")
    assert caught.value.why == "dial tcp 127.0.0.1:1: connect: connection refused"
    assert caught.value.describe() == f'Get "http://127.0.0.1:1/version": {caught.value.why}'
    await transport.close()
