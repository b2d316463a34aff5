"""The store's files: private whatever the umask, whole from their first moment, and never overwritten where they are damaged."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from store.errors import DamagedStore, StoreError
from store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cluster" / "state.db"


def _filled(path: Path, count: int = 50) -> None:
    async def fill() -> None:
        store = SqliteStore(path)
        await store.start()
        for number in range(count):
            await store.create(f"/{number}", b"x" * 2000)
        await store.close()

    asyncio.run(fill())


def _modes_while_open(path: Path) -> dict[str, int]:
    store = SqliteStore(path)

    async def open_and_write() -> None:
        await store.start()
        await store.create("/a", b"")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(open_and_write())
    modes = {file.name: file.stat().st_mode & 0o777 for file in (path.parent, *path.parent.iterdir())}
    loop.run_until_complete(store.close())
    loop.close()
    return modes


def _started_at(path: Path) -> int:
    async def start() -> int:
        store = SqliteStore(path)
        await store.start()
        await store.close()
        return store.revision

    return asyncio.run(start())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_them(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        names = ("state.db", "state.db-wal", "state.db-shm", "state.db.lock")
        assert _modes_while_open(path) == {"cluster": 0o700, **dict.fromkeys(names, 0o600)}
    finally:
        os.umask(before)


def test_what_was_readable_is_made_private(path: Path) -> None:
    _filled(path, 1)
    keeper = sqlite3.connect(path)  # so that -wal and -shm stay
    keeper.execute("SELECT count(*) FROM log").fetchone()
    for file in path.parent.iterdir():
        file.chmod(0o644)
    assert {name: mode for name, mode in _modes_while_open(path).items() if mode != 0o600} == {"cluster": 0o700}
    keeper.close()


@pytest.mark.parametrize("length", [0, 50, 4096, 10_000, -4096])
def test_what_was_cut_off_is_named_and_left_alone(path: Path, length: int) -> None:
    _filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    with pytest.raises(DamagedStore, match=r"state.db is (empty|cut off|damaged).*restore it from a copy"):
        _started_at(path)
    assert path.read_bytes() == whole[:length]
    path.write_bytes(whole)
    assert _started_at(path) == 50


def test_what_was_overwritten_is_named_and_left_alone(path: Path) -> None:
    _filled(path)
    whole = path.read_bytes()
    damaged = whole[:4096] + b"\xff" * (len(whole) - 4096)
    path.write_bytes(damaged)
    with pytest.raises(DamagedStore, match="is damaged"):
        _started_at(path)
    assert path.read_bytes() == damaged


def test_a_missing_database_is_not_replaced(path: Path) -> None:
    _filled(path)
    path.unlink()
    with pytest.raises(DamagedStore, match=r"state.db is missing; restore it .* remove it together with state.db.lock"):
        _started_at(path)
    assert not path.exists()
    path.with_name("state.db.lock").unlink()
    _filled(path)


def test_a_start_cut_short_leaves_nothing_in_the_way(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("state.db.new").write_bytes(b"half")
    path.with_name("state.db.new-wal").write_bytes(b"half")
    _filled(path)
    assert {file.name for file in path.parent.iterdir()} == {"state.db", "state.db.lock"}


def test_where_nothing_can_be_made_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"state.db cannot be opened: (Not a directory|File exists)"):
        _started_at(tmp_path / "file" / "state.db")
