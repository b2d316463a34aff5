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
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from kctl.apimachinery.clock import Clock, RealClock, Timer
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.caller import WIRE
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore
from store.types import Event, KeyValue

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
        """Keys that requests have written; the server itself keeps the status of flow schemas, policies and definitions and deletes old
        events."""
        own = re.compile("/(flowschemas|events)/")
        log, first = self.store._log, revision - self.store._first + 1
        changed = [(index, event) for index, event in enumerate(log[first:], first) if not own.search(event.key_value.key)]
        return [event.key_value.key for index, event in changed if not _is_status(event.key_value, reversed(log[:index]))]

    async def start(self) -> None:
        await self.store.start()
        config = ApiServerConfig(tokens={TOKEN: ADMIN})
        self.api = ApiServer(self.store, clock=self._clock, randomness=random.Random(1), config=config)
        await self.api.start()
        for settle in list(self.api.authorization.unsettled.values()):  # default roles, APIServices: written once somebody asks for one
            await (settle("list", WIRE) or asyncio.sleep(0))
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


def _is_status(written: KeyValue, before: Iterable[Event]) -> bool:
    """Of an object whose status the server writes some time after a request has written the rest, or which it deletes once it may go."""
    if not re.search("/(validatingadmissionpolicies|customresourcedefinitions)/", written.key):
        return False
    old = next((event.key_value.value for event in before if event.key_value.key == written.key), b"")
    if not written.value:
        return b'"deletionTimestamp"' in old
    return bool(old) and _without_status(old) == _without_status(written.value)


def _without_status(value: bytes) -> Any:
    obj = json.loads(value)
    return {**obj, "status": None, "metadata": {**obj["metadata"], "managedFields": None}}
