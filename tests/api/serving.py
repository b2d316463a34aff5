"""A bare API server on a real port, and a plain HTTP client that shows what went over the wire."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

TOKEN = "admin-token"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    """Decoded JSON; text where it is none."""


class Api:
    """Requests as anybody's client would send them; one connection each."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json", accept: str = "", token: str = TOKEN
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if accept:
            headers["Accept"] = accept
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = body if isinstance(body, str) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            text = response.read().decode()
            found = {key.lower(): value for key, value in response.getheaders()}
        finally:
            connection.close()
        return Answer(response.status, found, json.loads(text) if "json" in found.get("content-type", "") and text else text)

    def watch(self, path: str, is_last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """The events of a watch up to the one that `is_last`, or up to its end."""
        events: list[dict[str, Any]] = []
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            assert response.status == 200
            while line := response.readline():
                events.append(json.loads(line))
                if is_last(events[-1]):
                    break
        finally:
            connection.close()
        return events


@contextmanager
def serving() -> Iterator[Api]:
    """No controllers run, so objects stay as they were written. The server lives on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    store = MemoryStore()

    async def start() -> tuple[ApiServer, int]:
        await store.start()
        server = ApiServer(
            store,
            clock=RealClock(),
            randomness=random.Random(1),
            config=ApiServerConfig(tokens={TOKEN: ADMIN}, runtime_config={"api/all": "true"}),
        )
        await server.start()
        return server, await server.serve("127.0.0.1", 0, None)

    async def stop(server: ApiServer) -> None:
        await server.stop()
        await store.close()

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield Api(port)
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
