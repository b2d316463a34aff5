"""Objects of the sample API server in its etcd, asked over HTTP; what changed of late is remembered for watchers."""

from __future__ import annotations

import base64
import errno
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import orjson

from controllers.kubelet.commands.process import Process
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.fetching import Exchange, Limits, TimedOut, fetch, parse_url
from kctl.apimachinery import status
from kctl.apimachinery.objects import Object

Waits = float | None
PREFIX = "/registry/wardle.example.com/wardle.example.com"
_ASK_SECONDS = 5.0
_MOST_EVENTS = 200


@dataclass(frozen=True, slots=True)
class Change:
    revision: int
    kind: str
    """ADDED, MODIFIED or DELETED."""
    key: str
    object: Object


@dataclass
class Changes:
    """Since `since`, the revision of what is no longer remembered."""

    since: int = 0
    latest: deque[Change] = field(default_factory=deque)

    def add(self, change: Change) -> None:
        self.latest.append(change)
        if len(self.latest) > _MOST_EVENTS:
            self.since = self.latest.popleft().revision


class Storage:
    """Methods raise InternalError where etcd does not answer."""

    def __init__(self, process: Process, server: str) -> None:
        self._process = process
        self._server = server.rstrip("/")
        self.changes = Changes()

    def is_healthy(self) -> Generator[Waits, None, bool]:
        try:
            answer = yield from self._ask("GET", "/health", b"")
        except status.InternalError:
            return False
        return answer.status == 200

    def get(self, key: str) -> Generator[Waits, None, Object | None]:
        answer = yield from self._call("range", {"key": _bytes(key)})
        return _object(answer["kvs"][0]) if answer.get("kvs") else None

    def list(self, prefix: str) -> Generator[Waits, None, tuple[list[Object], int]]:
        """In the order of their keys, and at which revision."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        answer = yield from self._call("range", {"key": _bytes(prefix), "range_end": _bytes(end)})
        return [_object(each) for each in answer.get("kvs") or ()], int(answer["header"]["revision"])

    def write(self, key: str, obj: Object, known: int) -> Generator[Waits, None, Object | None]:
        """`known`: the revision that it has now, 0 where it is new. None where it is another."""
        meta = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
        stored = orjson.dumps({**obj, "metadata": meta}).decode()
        answer = yield from self._transaction(key, known, {"request_put": {"key": _bytes(key), "value": _bytes(stored)}})
        if answer is None:
            return None
        made = {**obj, "metadata": {**meta, "resourceVersion": str(answer)}}
        self._changed(answer, "MODIFIED" if known else "ADDED", key, made)
        return made

    def remove(self, key: str, obj: Object) -> Generator[Waits, None, bool]:
        """Whether it was what is stored."""
        known = int(obj["metadata"]["resourceVersion"])
        answer = yield from self._transaction(key, known, {"request_delete_range": {"key": _bytes(key)}})
        if answer is None:
            return False
        self._changed(answer, "DELETED", key, {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(answer)}})
        return True

    def _changed(self, revision: int, kind: str, key: str, obj: Object) -> None:
        self.changes.add(Change(revision, kind, key, obj))
        self._process.world.wake()

    def _transaction(self, key: str, known: int, operation: Any) -> Generator[Waits, None, int | None]:
        compare = {"key": _bytes(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(known)}
        answer = yield from self._call("txn", {"compare": [compare], "success": [operation]})
        return int(answer["header"]["revision"]) if answer.get("succeeded") else None

    def _call(self, name: str, message: Any) -> Generator[Waits, None, Any]:
        response = yield from self._ask("POST", f"/v3/kv/{name}", orjson.dumps(message))
        try:
            answer = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            answer = {"message": f"etcd answered {response.status}"}
        if response.status != 200:
            raise status.InternalError(str(answer.get("message") or answer))
        return answer

    def _ask(self, method: str, path: str, body: bytes) -> Generator[Waits, None, http.Response]:
        try:
            limits = Limits(_ASK_SECONDS, _ASK_SECONDS)
            response, _ = yield from fetch(self._process, Exchange(parse_url(self._server + path), method, body=body, limits=limits))
        except TimedOut:
            raise status.InternalError("context deadline exceeded") from None
        except OSError as error:
            refused = "connection refused" if error.errno == errno.ECONNREFUSED else str(error.strerror or error).lower()
            raise status.InternalError(f'rpc error: code = Unavailable desc = connection error: "{refused}"') from None
        except http.BadMessage as bad:
            raise status.InternalError(f"rpc error: {bad}") from None
        return response


def _bytes(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _object(kept: Any) -> Object:
    obj: Object = orjson.loads(base64.b64decode(kept["value"]))
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(kept["mod_revision"])}}
