"""An API server of its own for requests over a real socket: memory store, no controllers, its loop on a thread."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from kctl.apimachinery.clock import Clock, RealClock, Timer
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore
from store.types import KeyValue

TOKEN = "admin"
T = TypeVar("T")


class ShortWatches(RealClock):
    """Whatever waits waits a hundredth of it, and no watch longer than a moment."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return super().call_later(min(seconds, 10) / 100, callback)


class ServerThread:
    """`port` listens; `call` runs a coroutine on the server's loop."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or RealClock()
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

    def cpu_seconds(self) -> float:
        """What the loop's thread has used so far."""
        assert self.thread.ident is not None
        return time.clock_gettime(time.pthread_getcpuclockid(self.thread.ident))

    def stack(self) -> str:
        """Where the loop's thread is."""
        assert self.thread.ident is not None
        frame = sys._current_frames().get(self.thread.ident)
        return "".join(traceback.format_stack(frame)) if frame is not None else "the thread has ended"

    def written_since(self, revision: int) -> list[str]:
        """Keys that requests have written; the server itself keeps the status of flow schemas and policies and deletes old events."""
        changed = self.store._log[revision - self.store._first + 1 :]
        own = re.compile("/(flowschemas|events)/")
        return [
            event.key_value.key for event in changed if not own.search(event.key_value.key) and not _is_status_of_policy(event.key_value)
        ]

    async def start(self) -> None:
        await self.store.start()
        config = ApiServerConfig(tokens={TOKEN: ADMIN})
        self.api = ApiServer(self.store, clock=self._clock, randomness=random.Random(1), config=config)
        await self.api.start()
        if self.api.authorization.unsettled is not None:  # the default roles are written once somebody asks for one
            await self.api.authorization.unsettled()
        self.port = await self.api.serve("127.0.0.1", 0, None)

    async def stop(self) -> None:
        await self.api.stop()
        await self.store.close()


@contextmanager
def running(clock: Clock | None = None) -> Iterator[ServerThread]:
    server = ServerThread(clock)
    server.call(server.start, 300)  # on a machine that is busy with much else, too
    try:
        yield server
    finally:
        with suppress(TimeoutError):  # a request holds the loop, and the run has said so
            server.call(server.stop, 10)
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


def _is_status_of_policy(key_value: KeyValue) -> bool:
    if "/validatingadmissionpolicies/" not in key_value.key or not key_value.value:
        return False
    policy = json.loads(key_value.value)
    return bool((policy.get("status") or {}).get("observedGeneration") == policy["metadata"].get("generation"))
