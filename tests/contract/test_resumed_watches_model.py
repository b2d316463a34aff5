"""Whatever happened (writes, restarts, compactions), a watch that resumes from any revision hears every later change of its resource
and nothing else, or is told that it is too late. Through the API server, on every store, against a model that remembers everything.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.resources import CONFIG_MAPS, NAMESPACES, SECRETS, ResourceType
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.etcd import Etcd
from store.memory import MemoryStore
from store.sqlite import SqliteStore
from tests.contract.etcd_server import etcd_store

RESOURCES: dict[str, ResourceType] = {"configmaps": CONFIG_MAPS, "secrets": SECRETS}
SPACES = ("one", "two")
TEAMS = ("x", "y")
MARKER = ("one", "marker")


class Happened(NamedTuple):
    """A change in the model: the team label before and after it (None: the object is not there)."""

    revision: int
    key: tuple[str, str]
    before: str | None
    after: str | None


def _seen_as(change: Happened, space: str, team: str) -> tuple[str, tuple[str, str], int] | None:
    """The event a watch with this namespace and selector must bring."""
    if space and change.key[0] != space:
        return None
    before, after = change.before, change.after
    if team:
        before, after = (value if value == team else None for value in (before, after))
    if before is None and after is None:
        return None
    kind = "ADDED" if before is None else "DELETED" if after is None else "MODIFIED"
    return kind, change.key, change.revision


resources = st.sampled_from(sorted(RESOURCES))
names = st.tuples(st.sampled_from(SPACES), st.sampled_from(("a", "b")))
teams = st.sampled_from(TEAMS)


class ResumedWatches(RuleBasedStateMachine):
    """The subclasses say which store."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.log: dict[str, list[Happened]] = {name: [] for name in RESOURCES}
        self.now: dict[str, dict[tuple[str, str], str]] = {name: {} for name in RESOURCES}
        self.first = self.newest = self.writes = 0

    def make_store(self) -> Etcd:
        raise NotImplementedError

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def _start(self) -> None:
        self.store = self.make_store()
        await self.store.start()
        self.server = ApiServer(self.store, clock=FakeClock(), randomness=random.Random(1), config=ApiServerConfig(bootstrap=False))
        await self.server.start()
        self.client = Client(self.server.transport(ADMIN))

    async def _stop(self) -> None:
        await self.server.stop()
        await self.store.close()

    @initialize()
    def start(self) -> None:
        async def begin() -> None:
            await self._start()
            for space in SPACES:
                await self.client.create(NAMESPACES, {"metadata": {"name": space}})

        self.run(begin())
        for name in RESOURCES:
            self._create(name, MARKER, "x")
        self.first = self.newest

    def teardown(self) -> None:
        self.run(self._stop())
        self.loop.close()

    def _happened(self, resource: str, key: tuple[str, str], after: str | None, revision: str) -> None:
        before = self.now[resource].get(key)
        self.newest = int(revision)
        self.log[resource].append(Happened(self.newest, key, before, after))
        if after is None:
            del self.now[resource][key]
        else:
            self.now[resource][key] = after

    def _create(self, resource: str, key: tuple[str, str], team: str) -> None:
        body = {"metadata": {"name": key[1], "labels": {"team": team}}}
        made = self.run(self.client.create(RESOURCES[resource], body, key[0]))
        self._happened(resource, key, team, made["metadata"]["resourceVersion"])

    def _patch(self, resource: str, key: tuple[str, str], team: str) -> None:
        self.writes += 1
        patch = {"metadata": {"labels": {"team": team}, "annotations": {"write": str(self.writes)}}}
        made = self.run(self.client.patch(RESOURCES[resource], key[1], patch, key[0]))
        self._happened(resource, key, team, made["metadata"]["resourceVersion"])

    @rule(resource=resources, key=names, team=teams)
    def write(self, resource: str, key: tuple[str, str], team: str) -> None:
        if key in self.now[resource]:
            self._patch(resource, key, team)
        else:
            self._create(resource, key, team)

    @rule(resource=resources, number=st.integers(0, 3))
    def delete(self, resource: str, number: int) -> None:
        present = sorted(key for key in self.now[resource] if key != MARKER)
        if present:
            key, before = present[number % len(present)], self.store.revision
            self.run(self.client.delete(RESOURCES[resource], key[1], key[0]))
            assert self.store.revision == before + 1
            self._happened(resource, key, None, str(self.store.revision))

    @rule()
    def restart(self) -> None:
        self.run(self._stop())
        self.run(self._start())

    @rule(back=st.integers(0, 5))
    def compact(self, back: int) -> None:
        revision = self.newest - back
        if revision > self.store.compact_revision:
            self.run(self.server.storage.compact(revision))

    @precondition(lambda self: self.first)
    @rule(
        resource=resources,
        back=st.integers(0, 12),
        space=st.sampled_from(("", "one")),
        team=st.sampled_from(("", "x")),
        restarted=st.booleans(),
    )
    def watch(self, resource: str, back: int, space: str, team: str, restarted: bool) -> None:
        if restarted:
            self.restart()
        since = max(self.newest - back, self.first)
        stream = self.run(self._open(resource, since, space, team))
        first = self.loop.create_task(anext(stream))  # so that it catches up before the marker is written
        self.run(asyncio.sleep(0))
        self._patch(resource, MARKER, "x")
        if since < self.store.compact_revision and self._is_too_late(first):
            return
        wanted = [seen for change in self.log[resource] if change.revision > since and (seen := _seen_as(change, space, team))]
        assert self.run(asyncio.wait_for(self._read(first, stream), 5)) == wanted

    def _is_too_late(self, first: asyncio.Task[Any]) -> bool:
        """What is compacted may still be in memory."""
        events = self.run(asyncio.wait_for(asyncio.shield(first), 5))
        return [(event.type, event.object.get("code")) for event in events] == [("ERROR", 410)]

    async def _open(self, resource: str, since: int, space: str, team: str) -> Any:
        selector = f"team={team}" if team else ""
        return await self.client.watch(RESOURCES[resource], space, label_selector=selector, resource_version=str(since))

    async def _read(self, first: asyncio.Task[Any], stream: Any) -> list[tuple[str, tuple[str, str], int]]:
        """Until the marker's newest revision, which every watch here selects."""
        seen: list[tuple[str, tuple[str, str], int]] = []
        batch = await first
        while True:
            for event in batch:
                assert event.type != "ERROR", event.object
                meta = event.object["metadata"]
                seen.append((event.type, (meta["namespace"], meta["name"]), int(meta["resourceVersion"])))
            if seen and seen[-1][2] >= self.newest:
                await stream.aclose()
                return seen
            batch = await anext(stream)

    @invariant()
    def the_store_says_the_same(self) -> None:
        if self.first:
            assert self.store.revision == self.server.storage.revision == self.newest


class MemoryWatches(ResumedWatches):
    """A restart here is one of the API server alone."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = MemoryStore()

    def make_store(self) -> Etcd:
        return self._kept


class SqliteWatches(ResumedWatches):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()

    def make_store(self) -> Etcd:
        return SqliteStore(Path(self._folder.name) / "state.db")

    def teardown(self) -> None:
        super().teardown()
        self._folder.cleanup()


class EtcdWatches(ResumedWatches):
    def __init__(self) -> None:
        super().__init__()
        self._kept = etcd_store()

    def make_store(self) -> Etcd:
        return self._kept

    def the_store_says_the_same(self) -> None:
        """It may have made an event that is nobody's, to find the end of a history."""
        if self.first:
            assert self.store.revision >= self.server.storage.revision == self.newest

    the_store_says_the_same = invariant()(the_store_says_the_same)


_SETTINGS = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestMemoryWatches = MemoryWatches.TestCase
TestMemoryWatches.settings = _SETTINGS
TestSqliteWatches = SqliteWatches.TestCase
TestSqliteWatches.settings = _SETTINGS
TestEtcdWatches = EtcdWatches.TestCase
TestEtcdWatches.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
