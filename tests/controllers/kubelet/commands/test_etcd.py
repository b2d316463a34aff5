"""etcd as simulated containers have it: the messages of its gateway."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from controllers.kubelet.commands.programs.etcd import Keys, handle
from controllers.kubelet.commands.programs.http import Request


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def ask(keys: Keys, call: str, **message: Any) -> tuple[int, Any]:
    answer = handle(keys, Request("POST", f"/v3/kv/{call}", "HTTP/1.1", [], orjson.dumps(message)))
    return answer.status, orjson.loads(answer.body)


def test_keys_have_revisions_and_ranges() -> None:
    keys = Keys()
    for name in ("a/1", "a/2", "b"):
        assert ask(keys, "put", key=text(name), value=text("v"))[0] == 200
    ask(keys, "put", key=text("a/1"), value=text("w"))
    _, found = ask(keys, "range", key=text("a/"), range_end=text("a0"), limit=1)
    assert (found["count"], found["more"], found["header"]["revision"]) == ("2", True, "5")
    assert found["kvs"] == [{"key": text("a/1"), "create_revision": "2", "mod_revision": "5", "version": "2", "value": text("w")}]
    assert ask(keys, "deleterange", key=text("a/"), rangeEnd=text("a0"))[1]["deleted"] == "2"
    assert ask(keys, "range", key="AA==", range_end="AA==", count_only=True)[1]["count"] == "1"


def test_a_transaction_writes_what_its_comparisons_allow() -> None:
    keys = Keys()
    new = {"key": text("k"), "target": "MOD", "result": "EQUAL", "mod_revision": "0"}
    put = {"request_put": {"key": text("k"), "value": text("v")}}
    read = {"request_range": {"key": text("k")}}
    assert ask(keys, "txn", compare=[new], success=[put], failure=[read])[1]["succeeded"] is True
    _, answer = ask(keys, "txn", compare=[new], success=[put], failure=[read])
    assert answer.get("succeeded") is False and answer["header"]["revision"] == "2"
    assert answer["responses"][0]["response_range"]["kvs"][0]["value"] == text("v")


@pytest.mark.parametrize(
    ("call", "message", "status", "words"),
    [
        pytest.param("put", {"key": "%"}, 400, 'illegal base64 data in the field "key"', id="base64"),
        pytest.param("put", {"value": text("v")}, 400, "etcdserver: key is not provided", id="no-key"),
        pytest.param("put", {"key": text("k"), "lease": "1"}, 400, 'unknown field "lease"', id="field"),
        pytest.param("compact", {}, 501, "a simulated etcd has no compact", id="call"),
        pytest.param("txn", {"success": [{}] * 200}, 400, "etcdserver: too many operations in txn request", id="operations"),
        pytest.param("txn", {"success": [{}]}, 400, "etcdserver: an operation of a transaction has one request", id="empty"),
    ],
)
def test_what_is_wrong_is_said(call: str, message: dict[str, Any], status: int, words: str) -> None:
    answered, answer = ask(Keys(), call, **message)
    assert (answered, answer["message"]) == (status, words)
