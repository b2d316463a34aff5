"""An API server on a port of its own, in the test's event loop, and a client that is nothing but a socket."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.storage import memory_store

ADMIN = User("admin", ("system:masters", "system:authenticated"))
JANE = User("jane", ("system:authenticated",))
_CONFIG = ApiServerConfig(bootstrap=False, authorization_modes=("AlwaysAllow",), tokens={"admin": ADMIN, "jane": JANE})


@dataclass(slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Connection:
    """One socket. `read_buffer` bytes are read ahead; a reader that does not read fills it, then the kernel's, then the server's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, target: str, method: str = "GET", body: bytes = b"", token: str = "admin", **headers: str) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def head(self) -> Answer:
        """The next answer without its body."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = text.rstrip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return Answer(int(first.split()[1]), headers, b"")

    async def answer(self) -> Answer:
        found = await self.head()
        length = found.headers.get("content-length")
        if length is not None:
            found.body = await self.reader.readexactly(int(length))
        elif found.headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                found.body += await self.reader.readexactly(size)
                await self.reader.readline()
            await self.reader.readline()
        else:
            found.body = await self.reader.read()
        return found

    async def ask(self, target: str, method: str = "GET", body: bytes = b"", token: str = "admin", **headers: str) -> Answer:
        self.send(target, method, body, token, **headers)
        return await self.answer()


class Served:
    def __init__(self, server: ApiServer, port: int) -> None:
        self.server = server
        self.port = port
        self.client = Client(server.transport(ADMIN))
        self._connections: list[Connection] = []

    async def connect(self, limit: int = 1 << 20) -> Connection:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", self.port, limit=limit))
        self._connections.append(connection)
        return connection

    def disconnect(self) -> None:
        for connection in self._connections:
            connection.writer.transport.abort()


@asynccontextmanager
async def served(**config: Any) -> AsyncIterator[Served]:
    store = memory_store()
    await store.start()
    server = ApiServer(store, clock=RealClock(), randomness=random.Random(1), config=replace(_CONFIG, **config))
    await server.start()
    found = Served(server, await server.serve("127.0.0.1", 0, None))
    try:
        yield found
    finally:
        found.disconnect()
        await server.stop()
        await store.close()


async def until(check: Callable[[], bool], what: str) -> None:
    for _ in range(2000):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it did not come true that {what}")
