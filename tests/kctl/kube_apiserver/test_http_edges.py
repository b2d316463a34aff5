"""Requests at the edge of HTTP, over a real socket: each gets a whole answer of the API's and leaves no traceback."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from tests.fuzz import server as fuzz_server
from tests.fuzz.exchange import Answer, Connection, request_bytes
from tests.fuzz.server import TOKEN, ServerThread

MAPS = "/api/v1/namespaces/default/configmaps"
META = ";v=v1;g=meta.k8s.io"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with fuzz_server.running() as started:
        yield started


@pytest.fixture
def connection(server: ServerThread) -> Iterator[Connection]:
    opened = Connection(server.port, 10)
    with fuzz_server.watched_log() as log:
        yield opened
    opened.close()
    assert log.texts == []


def send(
    connection: Connection,
    method: str,
    target: str,
    *headers: tuple[str, str | bytes],
    body: bytes | None = None,
    token: str | bytes = TOKEN,
) -> Answer:
    bearer = b"Bearer " + (token if isinstance(token, bytes) else token.encode())
    return connection.exchange(request_bytes(method, target, [("Authorization", bearer), *headers], body))


def message(answer: Answer) -> str:
    return str(orjson.loads(answer.body)["message"])


@pytest.mark.parametrize("token", [b"\xc3\xa9", "é.é.é".encode(), b"\xff.\xff.\xff", b"..", b"a.b.c", b"e30.e30.e30"])
def test_a_token_that_is_none_is_unauthorized(connection: Connection, token: bytes) -> None:
    assert send(connection, "GET", MAPS, token=token).status == 401


def test_an_empty_token_is_none(connection: Connection) -> None:
    """And without one the caller is system:anonymous."""
    assert send(connection, "GET", MAPS, token="").status == 403


def test_the_first_of_two_authorization_headers_counts(connection: Connection) -> None:
    other = ("Authorization", "Bearer other")
    assert send(connection, "GET", MAPS, other).status == 200
    assert connection.exchange(request_bytes("GET", MAPS, [other, ("Authorization", f"Bearer {TOKEN}")])).status == 401


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "nonsense"])
def test_a_content_encoding_is_not_undone(connection: Connection, encoding: str) -> None:
    answer = send(connection, "POST", MAPS, ("Content-Encoding", encoding), body=b"\x1f\x8bjunk")
    assert answer.status == 400
    assert "couldn't get version/kind; json parse error: invalid character" in message(answer)


def test_a_warning_with_control_characters_is_left_out(connection: Connection) -> None:
    body = b'{"metadata":{"name":"warned"},"bad\\r\\nX: \\u0001":1,"\\u20acuro":1}'
    answer = send(connection, "POST", MAPS, body=body)
    assert answer.status == 201
    assert answer.warnings == ['299 - "unknown field \\"€uro\\""']


def test_many_warnings_are_cut_to_what_headers_may_carry(connection: Connection) -> None:
    fields = {f"{number:03}" + "x" * 400: 1 for number in range(100)}
    answer = send(connection, "POST", MAPS, body=orjson.dumps({"metadata": {"name": "chatty"}, **fields}))
    assert answer.status == 201
    texts = [warning.removeprefix('299 - "').removesuffix('"').replace('\\"', '"') for warning in answer.warnings]
    assert {len(text) for text in texts} == {256}
    assert 4096 <= sum(map(len, texts)) < 4096 + 256


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        (
            f"application/json;as=PartialObjectMetadataList{META}",
            "you requested PartialObjectMetadataList, but the requested object is not",
        ),
        (f"application/yaml;as=Table{META}", "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"),
        ("application/yaml", "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"),
    ],
)
def test_a_watch_that_cannot_be_shown_is_refused_before_it_begins(connection: Connection, accept: str, text: str) -> None:
    answer = send(connection, "GET", f"{MAPS}?watch=true&timeoutSeconds=1", ("Accept", accept))
    assert answer.status == 406
    assert text in answer.body.decode().replace("\n  ", " ")


def test_a_watch_of_tables_says_what_is_wrong_with_its_parameters(connection: Connection) -> None:
    answer = send(connection, "GET", f"{MAPS}?watch=1&includeObject=Everything", ("Accept", f"application/json;as=Table{META}"))
    assert answer.status == 400


@pytest.mark.parametrize(("method", "target", "status"), [("OPTIONS", "*", 200), ("GET", "*", 400), ("CONNECT", "host:123", 404)])
def test_targets_that_are_no_paths(connection: Connection, method: str, target: str, status: int) -> None:
    assert send(connection, method, target).status == status


MAP = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "shown"}, "data": {"a": "changed"}}
ONE, SEVERAL = f"application/json;as=PartialObjectMetadata{META}", f"application/yaml;as=PartialObjectMetadataList{META}"
UNKNOWN = ("text/html", f"application/json;as=Nothing{META}", "application/json;as=Table;v=v9;g=meta.k8s.io")
WRITES = [
    ("POST", MAPS, "application/json", {**MAP, "metadata": {"name": "new"}}),
    ("PUT", f"{MAPS}/shown", "application/json", MAP),
    ("PATCH", f"{MAPS}/shown", "application/merge-patch+json", {"data": {"a": "merged"}}),
    ("PATCH", f"{MAPS}/shown", "application/strategic-merge-patch+json", {"data": {"a": "merged"}}),
    ("PATCH", f"{MAPS}/shown", "application/json-patch+json", [{"op": "add", "path": "/data/b", "value": "c"}]),
    ("PATCH", f"{MAPS}/shown?fieldManager=me&force=true", "application/apply-patch+yaml", MAP),
    ("PATCH", f"{MAPS}/applied?fieldManager=me", "application/apply-patch+yaml", {**MAP, "metadata": {"name": "applied"}}),
    ("DELETE", f"{MAPS}/shown", "application/json", {}),
    ("DELETE", f"{MAPS}?labelSelector=shown", "application/json", {}),
    ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", "application/json", {"spec": {"audiences": ["a"]}}),
    ("PUT", "/api/v1/namespaces/default/status", "application/json", {"metadata": {"name": "default"}, "status": {"phase": "Active"}}),
]


@pytest.mark.parametrize(("method", "target", "kind", "body"), WRITES)
def test_a_write_whose_answer_cannot_be_shown_changes_nothing(
    server: ServerThread, connection: Connection, method: str, target: str, kind: str, body: object
) -> None:
    shown = {**MAP, "metadata": {"name": "shown", "labels": {"shown": ""}}, "data": {"a": "1"}}
    send(connection, "POST", MAPS, body=orjson.dumps(shown))
    collection = method == "DELETE" and "?" in target
    for accept in (*UNKNOWN, ONE if collection else SEVERAL):
        revision = server.store.revision
        answer = send(connection, method, target, ("Accept", accept), ("Content-Type", kind), body=orjson.dumps(body))
        assert answer.status == 406, accept
        assert server.written_since(revision) == [], accept


def test_what_a_collection_loses_can_be_shown_as_metadata(connection: Connection) -> None:
    gone = {**MAP, "metadata": {"name": "gone", "labels": {"gone": ""}}}
    send(connection, "POST", MAPS, body=orjson.dumps(gone))
    accept = f"application/json;as=PartialObjectMetadataList{META}"
    answer = send(connection, "DELETE", f"{MAPS}?labelSelector=gone", ("Accept", accept))
    assert answer.status == 200
    assert [item["metadata"]["name"] for item in orjson.loads(answer.body)["items"]] == ["gone"]
