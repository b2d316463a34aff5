"""An API server in memory, asked as over HTTPS: what official conformance tests do with a client of the API."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import ADMIN, ANONYMOUS, User
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

MERGE, JSON = "application/merge-patch+json", "application/json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"


class Api:
    def __init__(self, server: ApiServer) -> None:
        self.server = server

    async def ask(
        self, method: str, path: str, body: Any = None, *, user: User = ADMIN, kind: str = JSON, **headers: str
    ) -> tuple[int, Any]:
        """Status and body. Underscores in the names of headers are dashes; with a token as Authorization say user=ANONYMOUS."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else orjson.dumps(body)
        answer = await self.server.handle_raw(method, path, {}, data, {"Content-Type": kind, **named}, user)
        return answer.status, orjson.loads(answer.body)

    async def get(self, path: str) -> Any:
        return self._good(await self.ask("GET", path))

    async def create(self, path: str, body: Any) -> Any:
        return self._good(await self.ask("POST", path, body), 201)

    async def update(self, path: str, body: Any) -> Any:
        return self._good(await self.ask("PUT", path, body))

    async def patch(self, path: str, body: Any) -> Any:
        return self._good(await self.ask("PATCH", path, body, kind=MERGE))

    async def json_patch(self, path: str, *operations: Any) -> Any:
        return self._good(await self.ask("PATCH", path, list(operations), kind=JSON_PATCH))

    async def apply(self, path: str, document: str, query: str = "") -> tuple[int, Any]:
        """Status and body of a server-side apply of YAML."""
        target = f"{path}?fieldManager=tester{query}"
        answer = await self.server.handle_raw("PATCH", target, {}, document.encode(), {"Content-Type": APPLY}, ADMIN)
        return answer.status, orjson.loads(answer.body)

    async def delete(self, path: str) -> Any:
        return self._good(await self.ask("DELETE", path))

    async def watched(self, path: str, since: Any) -> list[tuple[str, Any]]:
        """Type and object of all events since a list or an object was what it is."""
        sign = "&" if "?" in path else "?"
        target = f"{path}{sign}watch=true&timeoutSeconds=1&resourceVersion={since['metadata']['resourceVersion']}"
        answer = await self.server.handle_raw("GET", target, {}, None, {}, ADMIN)
        assert answer.status == 200
        events = [orjson.loads(line) for line in answer.body.splitlines()]
        return [(event["type"], event["object"]) for event in events]

    async def by_token(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        return await self.ask(method, path, body, user=ANONYMOUS, Authorization=f"Bearer {token}")

    @staticmethod
    def _good(answer: tuple[int, Any], status: int = 200) -> Any:
        assert answer[0] == status, answer[1]
        return answer[1]


@asynccontextmanager
async def api(**config: Any) -> AsyncIterator[Api]:
    store = MemoryStore()
    await store.start()
    server = ApiServer(store, clock=RealClock(), randomness=random.Random(1), config=ApiServerConfig(**config))
    await server.start()
    try:
        yield Api(server)
    finally:
        await server.stop()
        await store.close()
