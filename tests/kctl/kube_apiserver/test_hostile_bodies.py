"""Bodies made to be expensive or to break a parser: each format refuses them in the API's words, at once and without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.fuzz import server as fuzz_server
from tests.fuzz.exchange import Answer, Connection, request_bytes
from tests.fuzz.server import TOKEN, ServerThread

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC_PATCH, APPLY_PATCH = "application/strategic-merge-patch+json", "application/apply-patch+yaml"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with fuzz_server.running() as started:
        first = Connection(started.port)
        send(first, "POST", MAPS, {"metadata": {"name": "there"}, "data": {"a": "1"}})
        containers = [{"name": "c", "image": "i"}]
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        send(first, "POST", DEPLOYMENTS, {"metadata": {"name": "there"}, "spec": spec})
        first.close()
        yield started


@pytest.fixture
def connection(server: ServerThread) -> Iterator[Connection]:
    """Nothing may be logged as an error, and nothing may be stored by a request that failed."""
    opened = Connection(server.port)
    with fuzz_server.watched_log() as log:
        yield opened
    opened.close()
    assert log.texts == []


def send(connection: Connection, method: str, target: str, body: Any, kind: str = JSON) -> Answer:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return connection.exchange(request_bytes(method, target, [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", kind)], raw))


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, str(orjson.loads(answer.body)["message"])


def nested(depth: int, inner: bytes = b"1") -> bytes:
    return b'{"a":' * depth + inner + b"}" * depth


@pytest.mark.parametrize("depth", [900, 5000, 100_000])
@pytest.mark.parametrize("opening", [b'{"a":', b"["], ids=["maps", "lists"])
def test_deep_nesting_is_refused_in_every_format(connection: Connection, depth: int, opening: bytes) -> None:
    deep = b'{"metadata":{"name":"x"},"data":' + opening * depth
    for method, target, kind in [
        ("POST", MAPS, JSON),
        ("POST", MAPS, YAML),
        ("POST", DEFINITIONS, JSON),
        ("PUT", f"{MAPS}/there", JSON),
        ("DELETE", f"{MAPS}/there", JSON),
        ("DELETE", f"{MAPS}/there", YAML),
        ("PATCH", f"{MAPS}/there", MERGE_PATCH),
        ("PATCH", f"{MAPS}/there", STRATEGIC_PATCH),
        ("PATCH", f"{MAPS}/there?fieldManager=m", APPLY_PATCH),
    ]:
        status, message = refusal(send(connection, method, target, deep, kind))
        assert (status, "exceeded max depth" in message) == (400, True), (method, target, kind, message)
    patch = b'[{"op":"add","path":"/data","value":' + opening * depth
    assert refusal(send(connection, "PATCH", f"{MAPS}/there", patch, JSON_PATCH)) == (400, "exceeded max depth")


def schema(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        made = {"type": "object", "properties": {"p": made}}
    return made


def definition(name: str, versions: list[dict[str, Any]]) -> dict[str, Any]:
    names = {"plural": name, "singular": name, "kind": name.title(), "listKind": f"{name.title()}List"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}.example.com"},
        "spec": spec,
    }


def version(name: str, depth: int, storage: bool = True) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema(depth)}}


def test_what_is_deep_but_accepted_goes_all_the_way(connection: Connection) -> None:
    """As deep as accepted: decoded, checked, stored, listed, watched, shown as a Table and as YAML."""
    assert send(connection, "POST", DEFINITIONS, definition("deeps", [version("v1", 95)])).status == 201
    for accept in ("application/json", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io"):
        head = [("Authorization", f"Bearer {TOKEN}"), ("Accept", accept)]
        for target in (DEFINITIONS, f"{DEFINITIONS}/deeps.example.com", f"{DEFINITIONS}?includeObject=Object"):
            assert connection.exchange(request_bytes("GET", target, head)).status == 200
    answer = connection.exchange(request_bytes("GET", f"{DEFINITIONS}?watch=true&timeoutSeconds=1", [("Authorization", f"Bearer {TOKEN}")]))
    assert answer.status == 200 and b"deeps" in answer.body


def protobuf_field(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def test_deep_protobuf_is_refused(connection: Connection) -> None:
    inner = b""
    for _ in range(3000):
        inner = protobuf_field(1, inner)
    kind = protobuf_field(1, protobuf_field(1, b"apiextensions.k8s.io/v1") + protobuf_field(2, b"CustomResourceDefinition"))
    body = b"k8s\x00" + kind + protobuf_field(2, inner)
    assert send(connection, "POST", DEFINITIONS, body, PROTOBUF).status in (400, 422)
    wrong = b"k8s\x00" + protobuf_field(1, protobuf_field(1, b"v1") + protobuf_field(2, b"ConfigMap")) + protobuf_field(2, b"\x08\x05")
    status, message = refusal(send(connection, "POST", MAPS, wrong, PROTOBUF))
    assert status == 400 and "proto: wrong wireType = 0 for field Metadata" in message


@pytest.mark.parametrize("field", ["kind", "apiVersion"])
@pytest.mark.parametrize(("value", "name"), [(b"1", "number"), (b"{a: b}", "object"), (b"[x]", "array"), (b"true", "bool")])
def test_a_kind_that_is_no_text(connection: Connection, field: str, value: bytes, name: str) -> None:
    text = b"metadata: {name: x}\n" + field.encode() + b": " + value
    for method, target in (("POST", MAPS), ("PUT", f"{MAPS}/there"), ("DELETE", f"{MAPS}/there")):
        status, message = refusal(send(connection, method, target, text, YAML))
        assert status == 400
        assert f"json: cannot unmarshal {name} into Go struct field .{field} of type string" in message


def test_aliases_that_multiply(connection: Connection) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))]
    for method, target, kind in (("POST", MAPS, YAML), ("PATCH", f"{MAPS}/there?fieldManager=m", APPLY_PATCH)):
        status, message = refusal(send(connection, method, target, "\n".join(lines).encode(), kind))
        assert status == 400
        assert "yaml: document contains excessive aliasing" in message


@pytest.mark.parametrize("digits", [b"9" * 5000, b"-" + b"9" * 100_000, b"1e400"], ids=["5,000", "100,000", "1e400"])
def test_numbers_too_large_for_any_type(connection: Connection, digits: bytes) -> None:
    for method, target, body, kind in (
        ("POST", DEPLOYMENTS, b'{"metadata":{"name":"x"},"spec":{"replicas":%s}}', JSON),
        ("PATCH", f"{DEPLOYMENTS}/there", b'{"spec":{"replicas":%s}}', MERGE_PATCH),
        ("PATCH", f"{DEPLOYMENTS}/there", b'{"spec":{"replicas":%s}}', STRATEGIC_PATCH),
        ("PATCH", f"{DEPLOYMENTS}/there", b'[{"op":"replace","path":"/spec/replicas","value":%s}]', JSON_PATCH),
        ("PATCH", f"{DEPLOYMENTS}/there?fieldManager=m", b'{"spec":{"replicas":%s}}', APPLY_PATCH),
    ):
        assert send(connection, method, target, body % digits, kind).status in (400, 422), (target, kind)


def test_quantities_of_any_size_are_read(connection: Connection) -> None:
    for index, cpu in enumerate(["1e99999999", "1e-99999999", "9" * 5000]):
        containers = [{"name": "c", "image": "i", "resources": {"limits": {"cpu": cpu}}}]
        pod = {"metadata": {"name": f"large{index}"}, "spec": {"containers": containers, "serviceAccountName": "default"}}
        answer = send(connection, "POST", f"{PODS}?dryRun=All", pod)
        assert answer.status in (201, 403), answer.body


def test_half_a_surrogate_pair_becomes_the_replacement_character(connection: Connection) -> None:
    body = b'{"metadata":{"name":"half","annotations":{"a":"\\ud800 \\ud83d\\ude00"}},"data":{"k":"\\udc00"},"x\\ud800":1}'
    answer = send(connection, "POST", MAPS, body)
    assert answer.status == 201
    assert orjson.loads(answer.body)["data"] == {"k": "\ufffd"}
    assert orjson.loads(answer.body)["metadata"]["annotations"] == {"a": "\ufffd \U0001f600"}
    assert answer.warnings == ['299 - "unknown field \\"x\ufffd\\""']


@pytest.mark.parametrize("kind", [STRATEGIC_PATCH, APPLY_PATCH])
@pytest.mark.parametrize("name", [["c"], {"a": "b"}, 1, True, None], ids=repr)
def test_a_merge_key_that_is_no_text(connection: Connection, kind: str, name: Any) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": name, "image": "j"}]}}}}
    target = f"{DEPLOYMENTS}/there" + ("?fieldManager=m" if kind == APPLY_PATCH else "")
    status, message = refusal(send(connection, "PATCH", target, patch, kind))
    assert status in (400, 422) and "panic" not in message


def test_too_many_operations_and_growing_copies(connection: Connection) -> None:
    operation = {"op": "test", "path": "/data/a", "value": "1"}
    assert refusal(send(connection, "PATCH", f"{MAPS}/there", [operation] * 10_001, JSON_PATCH)) == (
        413,
        "The allowed maximum operations in a JSON patch is 10000, got 10001",
    )
    doubling = [{"op": "add", "path": "/data/a", "value": "x" * 1000}]
    doubling += [{"op": "copy", "from": "/data", "path": f"/data/c{index}"} for index in range(40)]
    assert send(connection, "PATCH", f"{MAPS}/there", doubling, JSON_PATCH).status == 422
    digging = [{"op": "add", "path": "/data" + "/a" * depth, "value": {}} for depth in range(1, 1000)]
    assert send(connection, "PATCH", f"{MAPS}/there", digging, JSON_PATCH).status == 422
    inside = [{"op": "move", "from": "/data", "path": "/data/a"}]
    assert send(connection, "PATCH", f"{MAPS}/there", inside, JSON_PATCH).status == 422


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (b"{}", "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
        (b"[1]", "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
        (b'[{"op":1}]', "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"),
        (
            b'[{"op":"add","path":[]}]',
            "error decoding patch: json: cannot unmarshal array into Go struct field jsonPatchOp.path of type string",
        ),
    ],
)
def test_json_patches_that_are_none(connection: Connection, patch: bytes, why: str) -> None:
    assert refusal(send(connection, "PATCH", f"{MAPS}/there", patch, JSON_PATCH)) == (400, why)


def test_large_list_patches_are_merged_by_their_keys(connection: Connection) -> None:
    """20,000 items against 20,000: by comparing each with each it would take minutes."""
    variables = [{"name": f"v{number}"} for number in range(20_000)]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "env": variables}]}}}}
    first = send(connection, "PATCH", f"{DEPLOYMENTS}/there", patch, STRATEGIC_PATCH)
    second = send(connection, "PATCH", f"{DEPLOYMENTS}/there?dryRun=All", patch, STRATEGIC_PATCH)
    assert (first.status, second.status) == (200, 200)


def test_a_body_of_more_than_3_mib(connection: Connection) -> None:
    answer = send(connection, "POST", MAPS, b"x" * (3 * 1024 * 1024 + 1))
    assert refusal(answer) == (413, "Request entity too large: limit is 3145728")


@pytest.mark.parametrize(
    "query",
    [
        "limit=" + "9" * 5000,
        "timeoutSeconds=" + "9" * 5000,
        "resourceVersion=" + "9" * 5000,
        "resourceVersion=%D9%A1",
        "timeout=" + "9" * 5000,
        "timeout=" + "9" * 400 + "h",
        "labelSelector=a%3E" + "9" * 5000,
        "fieldSelector=" + ",".join(f"metadata.name!=n{number}" for number in range(300)),
        "labelSelector=" + ",".join(f"k{number}!=v" for number in range(300)),
    ],
    ids=lambda query: query[:24],
)
def test_parameters_of_any_length(connection: Connection, query: str) -> None:
    answer = connection.exchange(request_bytes("GET", f"{MAPS}?{query}", [("Authorization", f"Bearer {TOKEN}")]))
    assert answer.status in (200, 400, 504)
