"""An API server of its own for requests over a real socket: memory store, no controllers, its loop on a thread."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

TOKEN = "admin"
T = TypeVar("T")


class ServerThread:
    """`port` listens; `call` runs a coroutine on the server's loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.store = MemoryStore()
        self.api: ApiServer
        self.port = 0

    def call(self, make: Callable[[], Awaitable[T]], seconds: float = 30) -> T:
        async def run() -> T:
            return await make()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(seconds)

    async def start(self) -> None:
        await self.store.start()
        config = ApiServerConfig(tokens={TOKEN: ADMIN})
        self.api = ApiServer(self.store, clock=RealClock(), randomness=random.Random(1), config=config)
        await self.api.start()
        self.port = await self.api.serve("127.0.0.1", 0, None)

    async def stop(self) -> None:
        await self.api.stop()
        await self.store.close()


@contextmanager
def running() -> Iterator[ServerThread]:
    server = ServerThread()
    server.call(server.start)
    try:
        yield server
    finally:
        server.call(server.stop)
        server.loop.call_soon_threadsafe(server.loop.stop)
        server.thread.join(10)
        server.loop.close()


class Tracebacks(logging.Handler):
    """Collects what is logged with a traceback, or as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + (logging.Formatter().formatException(record.exc_info))
        self.texts.append(text)


@contextmanager
def watched_log() -> Iterator[Tracebacks]:
    handler = Tracebacks()
    logging.getLogger().addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger().removeHandler(handler)
