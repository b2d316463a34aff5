"""Playing a recording back: into the state of a new cluster, at once or as it went.

At once: the new cluster's store holds the very revisions of the old one, up to the one that is wanted, and whoever starts it goes on from
there. As it went: an API server without controllers, scheduler and kubelets serves the cluster while the recorded writes are made at their
times, by a clock that begins when the recording does; so clients watch what happened, and nobody else takes part.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock
from kctl.daemon import components, private_files
from kctl.daemon.cluster import Cluster
from kctl.daemon.component import ComponentContext, ComponentMaker
from kctl.daemon.config import ClusterConfig
from kctl.daemon.lock import ClusterLock
from kctl.daemon.paths import ClusterPaths
from kctl.daemon.recordings.format import BrokenRecording, Header, Record, RecordingReader
from store.rows import Row, write_log
from store.types import Delete, Put

if TYPE_CHECKING:
    from store.etcd import Etcd


class NotReplayable(Exception):
    """Why a recording cannot be played back so, as a user reads it."""


def up_to(reader: RecordingReader, revision: int) -> Iterator[Record]:
    """The records up to a revision; 0 is all. What follows is not read, so it may be cut off or damaged."""
    for record in reader.records():
        if revision and record.revision > revision:
            return
        yield record
        if record.revision == revision:
            return


def check_revision(header: Header, revision: int) -> None:
    """Raises NotReplayable."""
    if revision and revision < header.compact_revision:
        raise NotReplayable(f"the recording knows nothing before revision {header.compact_revision}")


def settings_for(header: Header, name: str, path: Path) -> ClusterConfig:
    """Of the new cluster. Raises BrokenRecording for settings that are none."""
    known = {field.name for field in fields(ClusterConfig)} - {"name", "port", "served_port", "starts", "store", "images"}
    given = {key: value for key, value in header.settings.items() if key in known}
    config = ClusterConfig(**{**given, "name": name, "port": 0})
    if wrong := config.invalid_values():
        raise BrokenRecording(path, f"is damaged: line 1: invalid settings: {wrong}")
    return config


def make(paths: ClusterPaths, config: ClusterConfig, records: Iterable[Record], header: Header, machine: Clock) -> tuple[int, str]:
    """A stopped cluster that holds the records; its newest revision and the time that was. Raises StoreError, BrokenRecording,
    NotReplayable, AlreadyServed."""
    if paths.exist:
        raise NotReplayable(f"cluster {paths.name!r} exists already")
    latest = ""

    def rows() -> Iterator[Row]:
        nonlocal latest
        for record in records:
            latest = max(latest, record.time)
            yield _row(record)

    with ClusterLock(paths.process_id):
        beside = paths.state.with_name("cluster.tmp")
        try:
            private_files.write(beside, b"")
            newest = write_log(beside, rows(), header.compact_revision)
            beside.replace(paths.state)
        finally:
            for left in (beside, beside.with_name(f"{beside.name}-wal"), beside.with_name(f"{beside.name}-shm")):
                left.unlink(missing_ok=True)
        set_time(paths.clock, latest, machine)
        config.save(paths.settings)
    return newest, latest


def _row(record: Record) -> Row:
    value = b"" if record.object is None else orjson.dumps(record.object)
    return Row(record.revision, record.key, record.create_revision, record.version, record.object is None, value)


def set_time(path: Path, text: str, machine: Clock) -> None:
    """The cluster's time goes on from there, so that ages are what they were and nothing is late."""
    moment = _moment(text)
    if moment is None:
        return
    ahead = (moment - machine.now()).total_seconds()
    kept = {"aheadSeconds": ahead, "reached": times.rfc3339_micro(moment)}
    private_files.write(path, (json.dumps(kept) + "\n").encode())


def _moment(text: str) -> datetime | None:
    try:
        return times.parse(text) if text else None
    except ValueError:
        return None


class Replay:
    """The component that makes the recorded writes when their time has come. `on_write` hears of each."""

    name = "replay"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(
        self, context: ComponentContext, records: Iterator[Record], on_write: Callable[[Record], None], on_end: Callable[[], None]
    ):
        self._store = context.store
        self._clock = context.clock
        self._records = records
        self._on_write = on_write
        self._on_end = on_end

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        ready()
        writing = asyncio.ensure_future(self._write_all())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({writing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
                self._on_end()
                await stop.wait()
        finally:
            writing.cancel()
            stopping.cancel()

    async def _write_all(self) -> None:
        for record in self._records:
            moment = _moment(record.time)
            early = (moment - self._clock.now()) if moment is not None else timedelta(0)
            if early > timedelta(0):
                await self._clock.sleep(early.total_seconds())
            await write(self._store, record)
            self._on_write(record)


async def write(store: Etcd, record: Record) -> None:
    """Whatever the key holds now: who is played back does not ask."""
    if record.object is not None:
        await store.transaction([Put(record.key, orjson.dumps(record.object))])
    elif await store.get(record.key) is not None:
        await store.transaction([Delete(record.key)])


class ReplayedCluster(Cluster):
    """A cluster in which nothing happens but what is played back."""

    def replays(self, records: Iterator[Record], on_write: Callable[[Record], None], on_end: Callable[[], None]) -> ReplayedCluster:
        self._replay = partial(Replay, records=records, on_write=on_write, on_end=on_end)
        return self

    def _makers(self, serving: ComponentMaker, clients: Sequence[ComponentMaker]) -> Sequence[ComponentMaker]:
        return (components.EtcdComponent, serving, self._replay)


def split_at_beginning(records: Iterator[Record], compact_revision: int) -> tuple[list[Record], Iterator[Record]]:
    """What there was when the recording begins, and what happened then. With a whole history everything happens."""
    before: list[Record] = []
    for record in records:
        if record.revision > compact_revision:
            return before, chain([record], records)
        before.append(record)
    return before, iter(())
