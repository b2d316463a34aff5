"""etcd in a simulated container: keys and values of one member in memory, asked in the JSON of its gRPC gateway (/v3/kv/...).

What speaks gRPC to it is refused by name, and so is what is not here: watches, leases, users, compaction.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.servers import ending
from controllers.kubelet.commands.programs.serving import Server, words_of

Message = dict[str, Any]
_VERSION = "3.6.5"
_MOST_BYTES = 64 * 1024 * 1024
_MOST_OPERATIONS = 128
_TARGETS = {"VERSION": "version", "CREATE": "create_revision", "MOD": "mod_revision", "VALUE": "value"}
_RESULTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "EQUAL": lambda found, wanted: found == wanted,
    "NOT_EQUAL": lambda found, wanted: found != wanted,
    "GREATER": lambda found, wanted: found > wanted,
    "LESS": lambda found, wanted: found < wanted,
}


class Refused(Exception):
    """`code` is gRPC's, `status` HTTP's."""

    def __init__(self, message: str, code: int = 3, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class _Kept(NamedTuple):
    value: bytes
    create_revision: int
    mod_revision: int
    version: int


class Keys:
    """Methods take and give the gateway's messages: 64-bit numbers as text, bytes in base64. They raise Refused."""

    def __init__(self) -> None:
        self._keys: dict[bytes, _Kept] = {}
        self._revision = 1
        self._bytes = 0

    def answer(self, name: str, message: Message) -> Message:
        """`name` is that of the call: range, put, deleterange, txn."""
        calls = {"range": self._range, "put": self._put, "deleterange": self._delete}
        before = self._revision
        if name == "txn":
            made = self._transaction(message)
        elif name in calls:
            made = calls[name](message, before + 1)
            self._revision = before + (name == "put" or (name == "deleterange" and made["deleted"] != "0"))
        else:
            raise Refused(f"a simulated etcd has no {name}", 12, 501)
        return {"header": self._header(), **made}

    def _header(self) -> Message:
        return {
            "cluster_id": "14841639068965178418",
            "member_id": "10276657743932975437",
            "revision": str(self._revision),
            "raft_term": "2",
        }

    def _chosen(self, message: Message) -> list[bytes]:
        key, end = _bytes(message, "key"), _bytes(message, "range_end")
        if not key:
            raise Refused("etcdserver: key is not provided")
        if not end:
            return [key] if key in self._keys else []
        return sorted(each for each in self._keys if each >= key and (end == b"\0" or each < end))

    def _range(self, message: Message, revision: int) -> Message:
        _only(message, "key", "range_end", "limit", "count_only", "keys_only", "serializable")
        chosen = self._chosen(message)
        limit = _number(message, "limit")
        shown = chosen[:limit] if limit else chosen
        made: Message = {"count": str(len(chosen))}
        if not message.get("count_only"):
            with_values = not message.get("keys_only")
            made["kvs"] = [self._shown(key, with_value=with_values) for key in shown]
            made["more"] = len(shown) < len(chosen)
        return made

    def _shown(self, key: bytes, *, with_value: bool = True) -> Message:
        kept = self._keys[key]
        numbers = {name: str(getattr(kept, name)) for name in ("create_revision", "mod_revision", "version")}
        return {"key": _text(key), **numbers, **({"value": _text(kept.value)} if with_value else {})}

    def _put(self, message: Message, revision: int) -> Message:
        _only(message, "key", "value", "prev_kv")
        key, value = _bytes(message, "key"), _bytes(message, "value")
        if not key:
            raise Refused("etcdserver: key is not provided")
        old = self._keys.get(key)
        grown = len(value) - len(old.value) if old is not None else len(key) + len(value)
        if self._bytes + grown > _MOST_BYTES:
            raise Refused("etcdserver: mvcc: database space exceeded", 8, 429)
        before = {"prev_kv": self._shown(key)} if old is not None and message.get("prev_kv") else {}
        self._bytes += grown
        self._keys[key] = _Kept(value, old.create_revision if old else revision, revision, old.version + 1 if old else 1)
        return before

    def _delete(self, message: Message, revision: int) -> Message:
        _only(message, "key", "range_end", "prev_kv")
        chosen = self._chosen(message)
        before = {"prev_kvs": [self._shown(key) for key in chosen]} if message.get("prev_kv") else {}
        for key in chosen:
            self._bytes -= len(key) + len(self._keys.pop(key).value)
        return {"deleted": str(len(chosen)), **before}

    def _transaction(self, message: Message) -> Message:
        _only(message, "compare", "success", "failure")
        succeeded = all(self._holds(each) for each in _messages(message, "compare"))
        operations = _messages(message, "success" if succeeded else "failure")
        known = {"request_range": self._range, "request_put": self._put, "request_delete_range": self._delete}
        asked = []
        for operation in operations:
            _only(operation, *known)
            if len(operation) != 1 or not isinstance(next(iter(operation.values())), dict):
                raise Refused("etcdserver: an operation of a transaction has one request")
            asked.append(next(iter(operation.items())))
        responses = []
        changed = False
        for name, request in asked:
            made = known[name](request, self._revision + 1)
            changed = changed or name == "request_put" or made.get("deleted", "0") != "0"
            responses.append({name.replace("request", "response"): made})
        self._revision += changed
        return {"succeeded": succeeded, "responses": responses}

    def _holds(self, compare: Message) -> bool:
        _only(compare, "key", "target", "result", *_TARGETS.values())
        target, result = str(compare.get("target", "VERSION")), str(compare.get("result", "EQUAL"))
        if target not in _TARGETS or result not in _RESULTS:
            raise Refused(f"unknown value {target if target not in _TARGETS else result!r} for enum etcdserverpb.Compare")
        field = _TARGETS[target]
        kept = self._keys.get(_bytes(compare, "key"))
        if field == "value":
            return kept is not None and _RESULTS[result](kept.value, _bytes(compare, field))
        return _RESULTS[result](getattr(kept, field) if kept is not None else 0, _number(compare, field))


def _only(message: Message, *known: str) -> None:
    for name in message:
        if name not in known:
            raise Refused(f'unknown field "{name}"')


def _messages(message: Message, name: str) -> list[Message]:
    found = message.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Refused(f'invalid value for the field "{name}"')
    if len(found) > _MOST_OPERATIONS:
        raise Refused("etcdserver: too many operations in txn request")
    return found


def _bytes(message: Message, name: str) -> bytes:
    try:
        return base64.b64decode(message.get(name) or b"", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Refused(f'illegal base64 data in the field "{name}"') from None


def _number(message: Message, name: str) -> int:
    text = str(message.get(name) or 0)
    if len(text) > 19 or not text.isascii() or not text.isdigit():
        raise Refused(f'invalid value for the field "{name}"')
    return int(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _snake(name: str) -> str:
    """The gateway takes fields by either of their names."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _renamed(value: Any, depth: int = 0) -> Any:
    if depth > 8:
        raise Refused("a message that deep")
    if isinstance(value, dict):
        return {_snake(name): _renamed(item, depth + 1) for name, item in value.items()}
    return [_renamed(item, depth + 1) for item in value] if isinstance(value, list) else value


def handle(keys: Keys, request: Request) -> Response:
    if request.path in ("/health", "/livez", "/readyz"):
        return _json({"health": "true", "reason": ""}) if request.path == "/health" else http.text("ok\n")
    if request.path == "/version":
        return _json({"etcdserver": _VERSION, "etcdcluster": f"{_VERSION.rpartition('.')[0]}.0", "storage": "3.6.0"})
    call = request.path.removeprefix("/v3/kv/")
    if call == request.path or "/" in call:
        return http.not_found()
    try:
        if request.method != "POST":
            raise Refused("Method Not Allowed", 12, 501)
        try:
            message = orjson.loads(request.body or b"{}")
        except orjson.JSONDecodeError as wrong:
            raise Refused(str(wrong)) from None
        if not isinstance(message, dict):
            raise Refused("a message is an object")
        return _json(keys.answer(call, _renamed(message)))
    except Refused as refused:
        return _json({"error": str(refused), "code": refused.code, "message": str(refused)}, refused.status)


def _json(document: Message, status: int = 200) -> Response:
    return Response(status, orjson.dumps(document), [("Content-Type", "application/json")])


def _client_port(words: list[str]) -> int:
    """Of --listen-client-urls. Raises NotInterpreted for what is not http, ValueError for what is no URL."""
    given = "http://localhost:2379"
    for at, word in enumerate(words):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name == "listen-client-urls":
            given = value if equals else words[at + 1] if at + 1 < len(words) else ""
    url = urlsplit(given.split(",")[0])
    if url.scheme != "http":
        raise NotInterpreted(f'"etcd --listen-client-urls {given}"')
    if url.port is None:
        raise ValueError(given)
    return url.port


def main(process: Process) -> Run:
    if "--version" in process.argv[1:]:
        process.print(f"etcd Version: {_VERSION}\n")
        return 0
    try:
        port = _client_port(process.argv[1:])
    except ValueError as wrong:
        process.complain(f'invalid value "{wrong}" for flag -listen-client-urls: URL address does not have the form "host:port": {wrong}\n')
        return 2
    server, keys = Server(process), Keys()
    server.handle_signals(ending(server, 0))
    try:
        server.http(port, lambda request: handle(keys, request))
    except OSError as error:
        process.complain(f"listen tcp 127.0.0.1:{port}: bind: {words_of(error)}\n")
        return 1
    return (yield from server.run())
