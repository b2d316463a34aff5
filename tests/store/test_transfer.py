"""Moving a store's keys to another engine, and looking a SQLite file over."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from store import checkup, transfer
from store.errors import StoreError, WriteFailed
from store.etcd import Etcd
from store.etcd_cluster.address import Address
from store.etcd_cluster.store import EtcdClusterStore
from store.memory import MemoryStore
from store.sqlite import SqliteStore
from store.types import KeyValue
from tests.contract.etcd_server import NAMESPACES, shared_member

PREFIX = "/registry/"


@asynccontextmanager
async def opened(store: Etcd) -> AsyncIterator[Etcd]:
    await store.start()
    try:
        yield store
    finally:
        await store.close()


def etcd(namespace: str) -> Etcd:
    return EtcdClusterStore(Address.parse(f"etcd://{shared_member().address}"), namespace=namespace)


def _quiet(what: str, done: int, of: int) -> None:
    assert 0 <= done <= of, (what, done, of)


async def _fill(store: Etcd, number: int = 30) -> None:
    for index in range(number):
        revision = await store.create(f"{PREFIX}core/configmaps/default/{index:03}", b"1" * index)
        if index % 3 == 0:
            await store.update(f"{PREFIX}core/configmaps/default/{index:03}", b"2" * index, revision)
        if index % 7 == 0:
            await store.delete(f"{PREFIX}core/configmaps/default/{index:03}")


async def _state(store: Etcd) -> list[KeyValue]:
    return list((await store.range(PREFIX, "/registry0")).key_values)


def _values(state: list[KeyValue]) -> dict[str, bytes]:
    return {stored.key: stored.value for stored in state}


async def test_to_etcd_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAGE", 7)
    namespace = f"/transfer-{next(NAMESPACES)}"
    async with opened(SqliteStore(tmp_path / "state.db")) as source, opened(etcd(namespace)) as target:
        await _fill(source)
        before = await _state(source)
        moved = await transfer.to_store(source, target, PREFIX, "me", _quiet)
        await transfer.finish(target, PREFIX)
        assert moved.keys == len(before) and moved.revision > source.revision
        assert _values(await _state(target)) == _values(before)
        between = await _state(target)
        back = await transfer.to_file(target, tmp_path / "back.db", PREFIX, _quiet)
    async with opened(SqliteStore(tmp_path / "back.db")) as again:
        assert await _state(again) == between
        assert again.revision == again.compact_revision == back.revision
        assert await again.create(f"{PREFIX}new", b"") == back.revision + 1


async def test_the_target_s_revision_passes_the_source_s(tmp_path: Path) -> None:
    source, target = MemoryStore(), MemoryStore()
    for _ in range(500):
        await source.delete("/registry/a", await source.create("/registry/a", b""))
    await source.create("/registry/b", b"")
    moved = await transfer.to_store(source, target, PREFIX, "me", _quiet)
    assert moved.revision == target.revision and source.revision < target.revision <= source.revision + 2
    await transfer.finish(target, PREFIX)
    assert _values(await _state(target)) == {"/registry/b": b""}


class Failing(MemoryStore):
    """Takes some writes, and then no more."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 10

    async def transaction(self, operations: object) -> list[int]:
        self.left -= 1
        if self.left < 0:
            raise WriteFailed("the disk is full")
        return await super().transaction(operations)  # type: ignore[arg-type]


async def test_a_copy_that_was_broken_off_goes_on() -> None:
    source, target = MemoryStore(), Failing()
    await _fill(source)
    with pytest.raises(WriteFailed):
        await transfer.to_store(source, target, PREFIX, "me", _quiet)
    assert 0 < len(await _state(target)) < len(await _state(source))
    target.left = 10_000
    await source.delete(f"{PREFIX}core/configmaps/default/001")  # what has happened meanwhile is copied too
    await source.create(f"{PREFIX}core/configmaps/default/late", b"")
    with pytest.raises(transfer.Occupied, match="a migration from me to it is under way"):
        await transfer.to_store(source, target, PREFIX, "you", _quiet)
    await transfer.to_store(source, target, PREFIX, "me", _quiet)
    await transfer.finish(target, PREFIX)
    assert _values(await _state(target)) == _values(await _state(source))


async def test_a_target_that_holds_something_is_left_alone() -> None:
    source, target = MemoryStore(), MemoryStore()
    await _fill(source)
    await target.create("/registry/core/secrets/a/b", b"precious")
    with pytest.raises(transfer.Occupied, match="it holds 1 keys under /registry/ already"):
        await transfer.to_store(source, target, PREFIX, "me", _quiet)
    assert _values(await _state(target)) == {"/registry/core/secrets/a/b": b"precious"}


async def test_who_writes_meanwhile_is_found_out() -> None:
    source = MemoryStore()
    await _fill(source)

    class Shared(MemoryStore):
        async def create(self, key: str, value: bytes, *, tag: object = None) -> int:
            made = await super().create(key, value, tag=tag)
            if key.endswith("/029"):
                await super().create("/registry/core/pods/a/intruder", b"")
            return made

    with pytest.raises(transfer.NotTheSame, match="/registry/core/pods/a/intruder was not there before"):
        await transfer.to_store(source, Shared(), PREFIX, "me", _quiet)


async def test_a_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("mine")
    with pytest.raises(StoreError, match="is there already"):
        await transfer.to_file(MemoryStore(), tmp_path / "state.db", PREFIX, _quiet)
    assert (tmp_path / "state.db").read_text() == "mine"


# ---- looking over


def _wrong(key: str, value: bytes) -> str:
    return "no good" if value.startswith(b"bad") else ""


async def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(SqliteStore(path)) as store:
        await _fill(store)
        await store.create("/registry/x", b"bad")
        gone = await store.create("/registry/y", b"bad")
        await store.delete("/registry/y", gone)
        expected = len(await _state(store))
    report = checkup.examine(path, _wrong)
    assert (report.keys, report.problems) == (expected, ["/registry/x: no good"])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE log SET create_revision = 99999 WHERE key LIKE '%/002'")
    connection.commit()
    connection.close()
    problems = checkup.examine(path, _wrong).problems
    assert problems[0] == "/registry/core/configmaps/default/002: revision 5, created at 99999, version 1 do not go together"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="cannot be read: file is not a database"):
        checkup.examine(path, _wrong)


async def test_a_copy_is_consistent_while_it_is_written_to(tmp_path: Path) -> None:
    async with opened(SqliteStore(tmp_path / "state.db")) as store:
        await _fill(store)

        async def write() -> None:
            for index in range(200):
                await store.create(f"/registry/more/{index:03}", b"x" * 100)

        writing = asyncio.create_task(write())
        await asyncio.sleep(0)
        await asyncio.to_thread(checkup.copy, tmp_path / "state.db", tmp_path / "copy.db")
        await writing
    assert checkup.examine(tmp_path / "copy.db", _wrong).problems == []
    async with opened(SqliteStore(tmp_path / "copy.db")) as copied:
        more = [stored.key for stored in await _state(copied) if "/more/" in stored.key]
        assert more == [f"/registry/more/{index:03}" for index in range(len(more))]
    with pytest.raises(StoreError, match="is there already"):
        checkup.copy(tmp_path / "state.db", tmp_path / "copy.db")
    with pytest.raises(StoreError, match="cannot be written"):
        checkup.copy(tmp_path / "state.db", tmp_path / "nowhere" / "copy.db")


async def test_a_defragmentation_makes_the_file_smaller(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(SqliteStore(path)) as store:
        for index in range(300):
            await store.delete("/registry/a", await store.create("/registry/a", b"x" * 10_000))
            if index == 150:
                await store.create("/registry/kept", b"y" * 1000)
        await store.compact(store.revision)
    before = checkup.examine(path, _wrong)
    saved = checkup.defragment(path)
    after = checkup.examine(path, _wrong)
    assert (before.bytes - after.bytes, after.free_bytes, after.problems) == (saved, 0, [])
    assert saved > 0
    async with opened(SqliteStore(path)) as store:
        assert _values(await _state(store)) == {"/registry/kept": b"y" * 1000}
