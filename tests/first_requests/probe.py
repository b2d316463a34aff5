"""A server that just started, asked one thing in a process of its own: forked from a parent whose loop stands still.

Counted is what the event loop's thread does that is only done once: modules imported, tables read from files. Measured besides: the
longest that the loop's thread computed without a pause, and that nobody else on the loop had a turn, whichever thread was at work.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore
from tests.first_requests.cases import Case
from tests.fuzz.exchange import Connection
from tests.fuzz.server import TOKEN, ShortWatches

T = TypeVar("T")
Stored = list[tuple[str, bytes]]


@dataclass
class Seen:
    """Of one exchange."""

    status: int = 0
    once: list[str] = field(default_factory=list)
    """What the loop's thread did that is only done once."""
    beside: list[str] = field(default_factory=list)
    """What other threads did of it."""
    cpu: float = 0.0
    """Seconds of the loop's thread in one step."""
    gap: float = 0.0
    """Seconds that a ticker of 1 ms had to wait."""


class Probe:
    """`stored` are keys and values that the server begins with."""

    def __init__(self, stored: Stored | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._stored = stored
        self._seen = Seen()
        self._loop.run_until_complete(self._start())

    async def _start(self) -> None:
        self.store = MemoryStore()
        await self.store.start()
        for key, value in self._stored or ():
            await self.store.create(key, value)
        config = ApiServerConfig(tokens={TOKEN: ADMIN}, runtime_config={"api/all": "true"})
        self.api = ApiServer(self.store, clock=ShortWatches(), randomness=random.Random(1), config=config)
        await self.api.start()
        self.port = await self.api.serve("127.0.0.1", 0, None)

    def run(self, exchanges: Iterable[Case], times: int = 1) -> list[Seen]:
        """In this process: the exchanges one after the other, each `times` in a row; what each was like."""
        found: list[Seen] = []
        done = threading.Event()

        def ask() -> None:
            try:
                connection = Connection(self.port)
                for case in exchanges:
                    for _ in range(times):
                        self._seen = Seen()
                        self._seen.status = connection.exchange(case.raw).status
                        self._wait_for_the_loop()
                        found.append(self._seen)
                connection.close()
            finally:
                self._seen = Seen()
                self._loop.call_soon_threadsafe(done.set)

        thread = threading.Thread(target=ask)

        async def main() -> None:
            last = time.perf_counter()
            thread.start()
            while not done.is_set():
                await asyncio.sleep(0.001)
                now = time.perf_counter()
                self._seen.gap = max(self._seen.gap, now - last - 0.001)
                last = now

        with self._counting():
            self._loop.run_until_complete(main())
        return found

    def _wait_for_the_loop(self) -> None:
        """Until it has done what it began."""
        for _ in range(3):
            turn = threading.Event()
            self._loop.call_soon_threadsafe(turn.set)
            turn.wait()

    def forked(self, cases: Iterable[Case], times: int = 1) -> list[Seen]:
        """As `run`, in a process of its own."""

        def run() -> list[Seen]:
            self._loop._default_executor = None  # type: ignore[attr-defined]  # its threads are the parent's
            return self.run(cases, times)

        return in_a_process(run)

    @contextmanager
    def _counting(self) -> Iterator[None]:
        loop_thread = threading.get_ident()

        def note(what: str) -> None:
            (self._seen.once if threading.get_ident() == loop_thread else self._seen.beside).append(what)

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "exec" and arguments[0].co_name == "<module>":
                note(arguments[0].co_filename)
            elif event == "open" and str(arguments[0]).endswith((".bundle", ".txt")):
                note(str(arguments[0]))

        sys.addaudithook(audit)
        with self._timed_steps():
            yield

    @contextmanager
    def _timed_steps(self) -> Iterator[None]:
        plain = asyncio.Handle._run

        def run(handle: asyncio.Handle) -> None:
            before = time.thread_time()
            try:
                plain(handle)
            finally:
                self._seen.cpu = max(self._seen.cpu, time.thread_time() - before)

        asyncio.Handle._run = run  # type: ignore[assignment,method-assign]
        try:
            yield
        finally:
            asyncio.Handle._run = plain  # type: ignore[method-assign]


def in_a_process(work: Callable[[], T]) -> T:
    """The result of a fork of this one."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        raw = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(raw)  # type: ignore[no-any-return]
