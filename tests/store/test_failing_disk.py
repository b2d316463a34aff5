"""Full, read-only and broken disks: every waiting write is refused at once and leaves no trace, reads go on, and so do writes when
the disk takes them again."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kctl.apimachinery.clock import FakeClock
from store.errors import ReadFailed, StoreClosed, StoreLost, WriteFailed
from store.sqlite import LOOK_SECONDS, SqliteStore
from store.types import Event
from tests.store.failing_disk import FULL, INPUT_OUTPUT, READ_ONLY, FailingDisk


@pytest.fixture
def disk() -> FailingDisk:
    return FailingDisk()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, disk: FailingDisk, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "state.db", clock, connect=disk.connect)
    await made.start()
    yield made
    await made.close()


async def _check_goes_on(store: SqliteStore, heard: list[Event]) -> None:
    """After `/kept` was created and everything else refused."""
    told = [(event.type, event.key_value.key) for event in heard]
    assert await store.get("/lost/0") is None and store.revision == 1
    assert await store.create("/lost/0", b"again") == 2
    assert await store.update("/kept", b"2", 1) == 3
    assert store.failure == ""
    told += [("PUT", "/lost/0"), ("PUT", "/kept")]
    assert [(event.type, event.key_value.key) for event in heard] == told


async def _all_refused(store: SqliteStore, count: int = 20) -> None:
    """One batch of writes in progress, one waiting behind it, and writes judged against both."""
    first = [asyncio.ensure_future(store.create(f"/lost/{number}", b"x" * 5000)) for number in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    more = [store.create(f"/more/{number}", b"") for number in range(count)]
    results = await asyncio.gather(
        *first, *more, store.update("/kept", b"no", 1), store.create("/lost/0", b""), store.delete("/lost/1", 99), return_exceptions=True
    )
    assert {type(result) for result in results} == {WriteFailed}


@pytest.mark.parametrize("why", [FULL, READ_ONLY, INPUT_OUTPUT])
async def test_a_commit_that_fails_leaves_no_trace(store: SqliteStore, disk: FailingDisk, why: str) -> None:
    await store.create("/kept", b"1")
    heard: list[Event] = []
    store.listen("/", heard.extend)
    disk.refuses_commits = why
    for _ in range(2):
        await _all_refused(store)
        assert store.failure == f"write failed: {why}"
        assert [item.key for item in (await store.range("/", "0")).key_values] == ["/kept"]
    assert heard == []
    disk.refuses_commits = ""
    await _check_goes_on(store, heard)


async def _look(store: SqliteStore, clock: FakeClock) -> None:
    """The time to look comes; until the writer, who tries the disk, has done so."""
    clock.advance(LOOK_SECONDS)
    async with asyncio.timeout(20):
        await store._idle.wait()


async def test_it_finds_out_by_itself_that_the_disk_is_back(store: SqliteStore, disk: FailingDisk, clock: FakeClock) -> None:
    disk.refuses_commits = FULL
    with pytest.raises(WriteFailed):
        await store.create("/a", b"")
    for _ in range(2):
        await _look(store, clock)
        assert store.failure == f"write failed: {FULL}"
    disk.refuses_commits = ""
    await _look(store, clock)
    assert store.failure == ""
    assert store.revision == 0 and await store.create("/a", b"") == 1


async def test_a_commit_whose_answer_was_lost_is_found_and_told(store: SqliteStore, disk: FailingDisk) -> None:
    await store.create("/kept", b"1")
    heard: list[Event] = []
    store.listen("/", heard.extend)
    disk.loses_the_answer_of_commits = True
    results = await asyncio.gather(store.create("/a", b"x"), store.delete("/kept", 1), return_exceptions=True)
    assert {type(result) for result in results} == {WriteFailed} and heard == []
    disk.loses_the_answer_of_commits = False
    with pytest.raises(WriteFailed, match="has been stored"):
        await store.create("/a", b"other")  # judged against what turns out to be wrong
    assert [(event.type, event.key_value.key, event.key_value.mod_revision) for event in heard] == [
        ("PUT", "/a", 2),
        ("DELETE", "/kept", 3),
    ]
    assert store.revision == 3 and (await store.get("/a")) == ("/a", b"x", 2, 2, 1)
    assert await store.update("/a", b"y", 2) == 4
    assert await store.create("/kept", b"") == 5


async def test_reads_fail_with_the_disk_and_come_back_with_it(store: SqliteStore, disk: FailingDisk) -> None:
    await store.create("/kept", b"1")
    heard: list[Event] = []
    store.listen("/", heard.extend)
    disk.refuses_everything = INPUT_OUTPUT
    for read in (store.get("/kept"), store.range("/", "0"), store.history("/", start_revision=1, end_revision=1)):
        with pytest.raises(ReadFailed):
            await read
    await _all_refused(store)
    disk.refuses_everything = ""
    assert await store.get("/kept") == ("/kept", b"1", 1, 1, 1)
    await _check_goes_on(store, heard)


async def test_it_closes_while_the_disk_fails_and_starts_with_what_was_acknowledged(
    store: SqliteStore, disk: FailingDisk, tmp_path: Path
) -> None:
    await store.create("/kept", b"1")
    disk.refuses_commits = FULL
    await _all_refused(store)
    await store.close()
    with pytest.raises(StoreClosed):
        await store.create("/a", b"")
    again = SqliteStore(tmp_path / "state.db")
    await again.start()
    assert again.revision == 1 and (await again.range("/", "0")).count == 1
    await again.close()


@pytest.mark.parametrize("victim", ["state.db", "state.db-wal", "state.db.lock", "."])
@pytest.mark.parametrize("idle", [True, False])
async def test_it_stops_when_its_files_are_taken_away(tmp_path: Path, idle: bool, victim: str, clock: FakeClock) -> None:
    folder = tmp_path / "cluster"
    store = SqliteStore(folder / "state.db", clock)
    await store.start()
    await store.create("/a", b"")
    (folder if victim == "." else folder / victim).rename(tmp_path / "away")
    if idle:
        clock.advance(LOOK_SECONDS)
    else:
        with pytest.raises(StoreLost, match="has been removed"):
            await store.create("/b", b"")
    async with asyncio.timeout(20):
        assert isinstance(await store.lost(), StoreLost)
    for call in (store.create("/c", b""), store.get("/a")):
        with pytest.raises(StoreLost):
            await call
    await store.close()
    assert not folder.exists() or victim != "."


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_disk_that_is_really_full(small_disk: Path, clock: FakeClock) -> None:
    store = SqliteStore(small_disk / "state.db", clock)
    await store.start()
    await store.create("/kept", b"1")
    heard: list[Event] = []
    store.listen("/", heard.extend)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 4096)
    await _all_refused(store, 60)
    assert "full" in store.failure and [item.key for item in (await store.range("/", "0")).key_values] == ["/kept"]
    for _ in range(2):
        await _look(store, clock)
        assert "full" in store.failure, "it took the disk for repaired without trying it"
    filler.unlink()
    await _look(store, clock)
    assert store.failure == ""
    await _check_goes_on(store, heard)
    await store.close()
    again = SqliteStore(small_disk / "state.db")
    await again.start()
    assert again.revision == 3 and (await again.range("/", "0")).count == 2
    await again.close()
