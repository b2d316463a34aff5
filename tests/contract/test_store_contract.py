"""The etcd contract, run against every implementation of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from store.errors import Compacted, Conflict, FutureRevision, KeyExists, KeyNotFound, StoreClosed, StoreError
from store.etcd import Etcd
from store.memory import MemoryStore
from store.sqlite import SqliteStore
from store.types import Delete, Event, Put
from tests.contract.etcd_server import Shifted, etcd_store

STORES: dict[str, Callable[[Path], Etcd]] = {
    "memory": lambda path: MemoryStore(),
    "sqlite": SqliteStore,
    "sqlite-synchronous": lambda path: SqliteStore(path, synchronous=True),
    "etcd": lambda path: etcd_store(),
}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Etcd]:
    made = STORES[request.param](tmp_path / "state.db")
    await made.start()
    yield made
    await made.close()


def _names(events: Sequence[Event]) -> list[tuple[str, str, int]]:
    return [(event.type, event.key_value.key, event.key_value.mod_revision) for event in events]


async def test_a_new_store_is_at_revision_zero(store: Etcd) -> None:
    assert (store.revision, store.compact_revision) == (0, 0)
    assert await store.get("/a") is None


async def test_every_write_gets_the_next_revision(store: Etcd) -> None:
    assert await store.create("/a", b"1") == 1
    assert await store.update("/a", b"2", 1) == 2
    assert await store.delete("/a") == 3
    assert await store.create("/a", b"3") == 4
    found = await store.get("/a")
    assert found is not None
    assert found == ("/a", b"3", 4, 4, 1)


async def test_a_value_keeps_when_it_was_created_and_counts_versions(store: Etcd) -> None:
    first = await store.create("/a", b"1")
    await store.create("/other", b"")
    second = await store.update("/a", b"2", first)
    assert await store.get("/a") == ("/a", b"2", first, second, 2)


async def test_create_refuses_an_existing_key(store: Etcd) -> None:
    await store.create("/a", b"1")
    with pytest.raises(KeyExists):
        await store.create("/a", b"2")
    assert store.revision == 1
    assert (await store.get("/a")).value == b"1"  # type: ignore[union-attr]


@pytest.mark.parametrize("verb", ["update", "delete"])
async def test_a_stale_revision_is_a_conflict(store: Etcd, verb: str) -> None:
    first = await store.create("/a", b"1")
    await store.update("/a", b"2", first)
    with pytest.raises(Conflict) as caught:
        await (store.update("/a", b"3", first) if verb == "update" else store.delete("/a", first))
    assert (caught.value.expected, caught.value.actual) == (1, 2)
    assert store.revision == 2


@pytest.mark.parametrize("verb", ["update", "delete"])
async def test_a_missing_key_is_not_found(store: Etcd, verb: str) -> None:
    with pytest.raises(KeyNotFound):
        await (store.update("/a", b"3", 1) if verb == "update" else store.delete("/a"))
    assert store.revision == 0


async def test_a_transaction_is_all_or_nothing(store: Etcd) -> None:
    await store.create("/a", b"1")
    with pytest.raises(KeyNotFound):
        await store.transaction([Put("/b", b"1", 0), Delete("/a"), Put("/c", b"2", 9)])
    assert store.revision == 1
    assert await store.get("/b") is None and await store.get("/a") is not None
    revisions = await store.transaction([Put("/b", b"1", 0), Put("/c", b"2"), Delete("/a")])
    assert revisions == ([2, 2, 2] if isinstance(store, Shifted) else [2, 3, 4])
    assert (await store.get("/c")) == ("/c", b"2", revisions[1], revisions[1], 1)
    assert await store.get("/a") is None


async def test_what_etcd_does_not_do_is_refused(store: Etcd) -> None:
    """Where a transaction names a key twice: the stores of our own do it in order."""
    operations = [Put("/b", b"1", 0), Put("/b", b"2", 1)]
    if isinstance(store, Shifted):
        with pytest.raises(StoreError, match="duplicate key given in txn request"):
            await store.transaction(operations)
        assert (store.revision, await store.get("/b")) == (0, None)
    else:
        assert await store.transaction(operations) == [1, 2]
        assert (await store.get("/b")) == ("/b", b"2", 1, 2, 2)


async def test_an_unconditional_put_creates_and_replaces(store: Etcd) -> None:
    await store.transaction([Put("/a", b"1")])
    await store.transaction([Put("/a", b"2")])
    assert (await store.get("/a")) == ("/a", b"2", 1, 2, 2)


async def test_a_range_is_sorted_half_open_and_paged(store: Etcd) -> None:
    for name in ("/b/2", "/a", "/b/1", "/c", "/b/3"):
        await store.create(name, name.encode())
    found = await store.range("/b/", "/b0")
    assert [entry.key for entry in found.key_values] == ["/b/1", "/b/2", "/b/3"]
    assert (found.count, found.more, found.revision) == (3, False, 5)
    page = await store.range("/b/", "/b0", limit=2)
    assert [entry.key for entry in page.key_values] == ["/b/1", "/b/2"]
    assert (page.count, page.more) == (3, True)


async def test_pages_at_a_revision_do_not_see_later_writes(store: Etcd) -> None:
    for number in range(4):
        await store.create(f"/k/{number}", b"old")
    first = await store.range("/k/", "/k0", limit=2)
    await store.update("/k/2", b"new", 3)
    await store.delete("/k/3")
    await store.create("/k/9", b"new")
    rest = await store.range("/k/2", "/k0", revision=first.revision)
    assert [(entry.key, entry.value) for entry in rest.key_values] == [("/k/2", b"old"), ("/k/3", b"old")]


async def test_the_past_can_be_read_key_by_key(store: Etcd) -> None:
    await store.create("/a", b"1")
    await store.update("/a", b"2", 1)
    await store.delete("/a")
    assert [(await store.get("/a", revision=at)) is not None for at in (1, 2, 3)] == [True, True, False]
    assert (await store.get("/a", revision=1)).value == b"1"  # type: ignore[union-attr]


async def test_the_future_is_refused(store: Etcd) -> None:
    for call in (store.get("/a", revision=1), store.range("/", "0", revision=1), store.compact(1)):
        with pytest.raises(FutureRevision):
            await call


async def test_listeners_hear_of_a_write_before_its_writer_is_answered(store: Etcd) -> None:
    heard: list[Event] = []
    subscription = store.listen("/a/", heard.extend)
    await store.create("/a/1", b"x")
    assert _names(heard) == [("PUT", "/a/1", 1)]
    await store.create("/b/1", b"x")
    await store.delete("/a/1")
    assert _names(heard) == [("PUT", "/a/1", 1), ("DELETE", "/a/1", 3)]
    subscription.close()
    subscription.close()
    await store.create("/a/2", b"x")
    assert len(heard) == 2


async def test_a_listener_gets_the_tag_of_each_write_also_where_the_bytes_are_the_same(store: Etcd) -> None:
    heard: list[Event] = []
    store.listen("/", heard.extend)
    tags = [object() for _ in range(3)]
    first, *_ = await asyncio.gather(*(store.create(f"/{number}", b"same", tag=tag) for number, tag in enumerate(tags)))
    await store.update("/0", b"same", first, tag=tags)
    await store.transaction([Put("/1", b"same", tag=tags[1]), Put("/2", b"same"), Delete("/0")])
    told = {(event.key_value.key, event.key_value.version, event.type): event.tag for event in heard}
    assert len(told) == len(heard) == 7
    assert all(told[f"/{number}", 1, "PUT"] is tag for number, tag in enumerate(tags))
    assert (told["/0", 2, "PUT"], told["/1", 2, "PUT"], told["/2", 2, "PUT"], told["/0", 2, "DELETE"]) == (tags, tags[1], None, None)


async def test_a_refused_write_leaves_its_tag_to_nobody(store: Etcd) -> None:
    heard: list[Event] = []
    store.listen("/", heard.extend)
    first = await store.create("/a", b"same", tag="first")
    answers = await asyncio.gather(
        *(store.update("/a", b"same", first, tag=number) for number in range(3)),
        store.create("/a", b"same", tag="no"),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [int, Conflict, Conflict, KeyExists]
    assert [event.tag for event in heard] == ["first", 0]


async def test_history_has_no_tags_and_what_is_told_live_has(store: Etcd) -> None:
    await store.create("/a", b"", tag="old")
    events = store.watch("/", start_revision=1)
    past = await anext(events)
    await store.update("/a", b"", 1, tag="new")
    live = await anext(events)
    assert [event.tag for event in (*past, *live)] == [None, "new"]
    await events.aclose()  # type: ignore[attr-defined]


async def test_concurrent_writers_are_all_answered_in_one_order(store: Etcd) -> None:
    heard: list[Event] = []
    store.listen("/", heard.extend)
    revisions = await asyncio.gather(*(store.create(f"/{number:04}", b"v" * 100) for number in range(500)))
    assert sorted(revisions) == list(range(1, 501))
    assert [event.key_value.mod_revision for event in heard] == list(range(1, 501))
    assert (await store.range("/", "0")).count == 500


async def test_who_is_refused_has_been_told_of_what_he_lost_against(store: Etcd) -> None:
    heard: list[Event] = []
    store.listen("/", heard.extend)

    async def lose(write: Awaitable[int]) -> list[tuple[str, str, int]]:
        with pytest.raises((Conflict, KeyExists, KeyNotFound)):
            await write
        return _names(heard)

    first = store.create("/a", b"")
    told = await asyncio.gather(first, lose(store.create("/a", b"")), lose(store.update("/a", b"", 7)))
    assert told[1] == told[2] == [("PUT", "/a", 1)]
    told = await asyncio.gather(store.delete("/a"), lose(store.update("/a", b"", 1)), lose(store.delete("/a")))
    assert told[1] == told[2] == [("PUT", "/a", 1), ("DELETE", "/a", 2)]


async def test_of_concurrent_updates_from_one_revision_one_wins(store: Etcd) -> None:
    first = await store.create("/a", b"0")
    results = await asyncio.gather(*(store.update("/a", str(number).encode(), first) for number in range(20)), return_exceptions=True)
    assert [type(result) for result in results].count(Conflict) == 19
    winner = next(index for index, result in enumerate(results) if isinstance(result, int))
    assert (await store.get("/a")).value == str(winner).encode()  # type: ignore[union-attr]


async def test_a_watch_replays_history_and_goes_on_live(store: Etcd) -> None:
    await store.create("/a/1", b"1")
    await store.create("/b", b"")
    await store.update("/a/1", b"2", 1)
    events = store.watch("/a/", start_revision=1)
    assert _names(await anext(events)) == [("PUT", "/a/1", 1), ("PUT", "/a/1", 3)]
    await store.delete("/a/1")
    assert _names(await anext(events)) == [("DELETE", "/a/1", 4)]
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_watch_from_the_future_waits_for_it(store: Etcd) -> None:
    events = store.watch("/", start_revision=3)
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    for name in ("/1", "/2", "/3"):
        await store.create(name, b"")
    assert _names(await waiting) == [("PUT", "/3", 3)]
    await events.aclose()  # type: ignore[attr-defined]


async def test_watches_opened_under_load_miss_and_repeat_nothing(store: Etcd) -> None:
    total = 400

    async def watcher(start: int) -> list[int]:
        seen: list[int] = []
        events = store.watch("/", start_revision=start)
        async for batch in events:
            seen += [event.key_value.mod_revision for event in batch]
            if seen[-1] >= total:
                break
        await events.aclose()  # type: ignore[attr-defined]
        return seen

    async def write() -> list[asyncio.Task[list[int]]]:
        watchers = []
        for number in range(0, total, 8):
            watchers.append(asyncio.create_task(watcher(max(1, number - 20))))
            await asyncio.gather(*(store.create(f"/{number + step:04}", b"") for step in range(8)))
        return watchers

    watchers = await write()
    for start, task in zip(range(0, total, 8), watchers, strict=True):
        assert await task == list(range(max(1, start - 20), total + 1))


async def test_a_watch_misses_nothing_written_between_the_call_and_its_first_step(store: Etcd) -> None:
    await store.create("/1", b"")
    events = store.watch("/", start_revision=1)
    await store.create("/2", b"")
    await store.create("/3", b"")
    seen = _names(await anext(events))
    await store.create("/4", b"")
    seen += _names(await anext(events))
    assert [revision for _, _, revision in seen] == [1, 2, 3, 4]
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_watch_ends_with_the_store(store: Etcd) -> None:
    waiting = asyncio.ensure_future(anext(store.watch("/", start_revision=1)))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreClosed):
        await waiting


async def test_a_writer_that_goes_away_disturbs_nobody(store: Etcd) -> None:
    leaving = asyncio.ensure_future(store.create("/left", b""))
    staying = asyncio.ensure_future(store.create("/stayed", b""))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying in (1, 2)
    assert _names(await anext(store.watch("/left", start_revision=1)))[0][:2] == ("PUT", "/left")  # done without its caller
    assert (await store.range("/", "0")).count == 2


async def test_a_listener_that_raises_disturbs_nobody(store: Etcd) -> None:
    heard: list[Event] = []

    def failing(events: Sequence[Event]) -> None:
        raise RuntimeError("a bug above")

    store.listen("/", failing)
    store.listen("/", heard.extend)
    assert await asyncio.wait_for(store.create("/a", b""), 5) == 1
    assert _names(heard) == [("PUT", "/a", 1)]


async def test_the_event_of_the_compacted_revision_can_still_be_watched(store: Etcd) -> None:
    await store.create("/a", b"")
    await store.delete("/a")
    await store.create("/b", b"")
    await store.compact(2)
    events = store.watch("/", start_revision=2)
    assert _names(await anext(events)) == [("DELETE", "/a", 2), ("PUT", "/b", 3)]
    await events.aclose()  # type: ignore[attr-defined]


async def test_reads_during_a_compaction_are_right_or_refused(store: Etcd) -> None:
    for number in range(200):
        await store.create(f"/{number:03}", b"")
        await store.delete(f"/{number:03}")
    compacting = asyncio.ensure_future(store.compact(390))
    while not compacting.done():
        await asyncio.sleep(0)
        for revision in (387, 389):
            try:
                assert (await store.range("/", "0", revision=revision)).count == 1
            except Compacted:
                continue
    await compacting


async def test_compaction_keeps_the_state_and_forgets_the_past(store: Etcd) -> None:
    await store.create("/a", b"1")
    await store.update("/a", b"2", 1)
    await store.create("/gone", b"")
    await store.delete("/gone")
    await store.update("/a", b"3", 2)
    await store.compact(4)
    assert store.compact_revision == 4
    assert [entry.value for entry in (await store.range("/", "0", revision=4)).key_values] == [b"2"]
    assert (await store.get("/a")) == ("/a", b"3", 1, 5, 3)
    for call in (store.get("/a", revision=3), store.range("/", "0", revision=2)):
        with pytest.raises(Compacted) as caught:
            await call
        assert caught.value.compact_revision == 4
    with pytest.raises(Compacted):
        await anext(store.watch("/", start_revision=3))
    events = store.watch("/", start_revision=5)
    assert _names(await anext(events)) == [("PUT", "/a", 5)]
    await events.aclose()  # type: ignore[attr-defined]


async def test_compacting_twice_to_the_past_is_refused(store: Etcd) -> None:
    for name in ("/1", "/2", "/3"):
        await store.create(name, b"")
    await store.compact(2)
    with pytest.raises(Compacted):
        await store.compact(1)


async def test_a_closed_store_refuses_writes(store: Etcd) -> None:
    await store.create("/a", b"")
    await store.close()
    await store.close()
    with pytest.raises(StoreClosed):
        await store.create("/b", b"")


async def test_values_are_bytes_of_any_kind(store: Etcd) -> None:
    value = bytes(range(256)) * 4000
    await store.create("/\u00e4/\U0001f600", value)
    found = await store.get("/\u00e4/\U0001f600")
    assert found is not None and found.value == value
