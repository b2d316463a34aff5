"""Concurrent clients of a few objects: whatever they are answered, there is one order that explains it. A few episodes of it;
`python -m tests.linearizability --operations 60000` for many."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from store.etcd import Etcd
from store.sqlite import SqliteStore
from tests.crash.daemon_process import Daemon
from tests.linearizability.load import History, play
from tests.linearizability.rounds import DaemonEpisodes
from tests.linearizability.subjects import Answer, StoreSubject


@pytest.fixture
def seed() -> int:
    made = secrets.randbelow(10**9)
    print(f"seed {made}")
    return made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "state.db")
    await made.start()
    yield made
    await made.close()


def _check_mixed(history: History) -> None:
    """The load was such that something could have gone wrong: every kind of answer came."""
    wanted = {"create done", "create exists", "update done", "update conflict", "delete done", "delete missing", "get done", "get missing"}
    assert wanted <= set(history.counts), history.counts


async def test_the_stores_answers_are_linearizable(store: SqliteStore, seed: int) -> None:
    history = History()
    await play([StoreSubject(store) for _ in range(12)], history, 0, 1200, seed)
    _check_mixed(history)
    assert history.problem() == ""


class StaleReads(StoreSubject):
    """What a cache does that is not told of writes before their writers are: each read shows what was there at the last one."""

    def __init__(self, store: Etcd) -> None:
        super().__init__(store)
        self._shown: dict[str, Answer] = {}

    async def get(self, name: str) -> Answer:
        present = await super().get(name)
        shown = self._shown.get(name, present)
        self._shown[name] = present
        return shown


class LostUpdates(StoreSubject):
    """What a server does that reads, compares and writes in steps: whoever writes in between is overwritten."""

    async def update(self, name: str, value: str, expected: int) -> Answer:
        present = await self.get(name)
        if present.outcome == "missing" or (expected and present.revision != expected):
            return Answer("missing") if present.outcome == "missing" else Answer("conflict")
        await asyncio.sleep(0)
        return await self._win(name, value)


@pytest.mark.parametrize("broken", [StaleReads, LostUpdates])
async def test_a_broken_one_is_found(store: SqliteStore, broken: type[StoreSubject], seed: int) -> None:
    history = History()
    await play([broken(store) for _ in range(12)], history, 0, 1200, seed)
    assert "have no order that explains their answers" in history.problem()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.process
async def test_a_daemons_answers_over_https_are_linearizable_even_across_a_kill(daemon: Daemon, seed: int) -> None:
    await asyncio.to_thread(daemon.start)
    episodes = DaemonEpisodes(daemon, seed)
    for number, kill in enumerate((False, True)):
        history = await episodes.episode(number, 800, kill=kill)
        assert history.problem() == ""
        _check_mixed(history)
    assert episodes.kills == 1 and sum(count for what, count in episodes.counts.items() if what.endswith("unknown")) > 0
