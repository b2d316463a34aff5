"""Two stores on one real etcd: what one has answered the other has heard of once it wants to be current; who may come beside whom."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from store.errors import StoreError
from store.etcd_cluster.address import Address
from store.etcd_cluster.store import EtcdClusterStore
from store.types import Event
from tests.contract.etcd_server import PATIENCE, shared_member

_SPACES = itertools.count()


def make(space: str, **more: str) -> EtcdClusterStore:
    return EtcdClusterStore(Address.parse(f"etcd://{shared_member().address}"), namespace=space, patience=PATIENCE, **more)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[EtcdClusterStore, EtcdClusterStore]]:
    space = f"/shared-{next(_SPACES)}"
    left, right = make(space, sharing="left"), make(space, sharing="right")
    await left.start()
    await right.start()
    yield left, right
    await right.close()
    await left.close()


class Heard:
    """What a store's listeners know."""

    def __init__(self, store: EtcdClusterStore) -> None:
        self.values: dict[str, bytes] = {}
        store.listen("/", self._take)

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.type == "DELETE":
                self.values.pop(event.key_value.key, None)
            else:
                self.values[event.key_value.key] = event.key_value.value


async def test_who_is_current_has_heard_of_all_that_was_answered(pair: tuple[EtcdClusterStore, EtcdClusterStore]) -> None:
    heard = [Heard(store) for store in pair]
    randomness, truth = random.Random(5), dict[str, bytes]()

    async def work(number: int) -> None:
        key, revision = f"/k{number}", 0
        for turn in range(15):
            writer = randomness.randrange(2)
            value = f"{number}.{turn}".encode()
            await pair[writer].current()
            if revision and randomness.random() < 0.2:
                await pair[writer].delete(key, revision)
                revision = 0
                truth.pop(key)
            else:
                store = pair[writer]
                revision = await (store.update(key, value, revision) if revision else store.create(key, value))
                truth[key] = value
            reader = randomness.randrange(2)
            await pair[reader].current()
            assert heard[reader].values.get(key) == truth.get(key)

    await asyncio.gather(*(work(number) for number in range(8)))
    assert [store.shared for store in pair] == [True, True]


async def test_many_share_one_question(pair: tuple[EtcdClusterStore, EtcdClusterStore], monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = pair
    await left.create("/a", b"1")
    asked = 0
    ask = right._range

    async def counted(request: object) -> object:
        nonlocal asked
        asked += 1
        return await ask(request)

    monkeypatch.setattr(right, "_range", counted)
    await asyncio.gather(*(right.current() for _ in range(100)))
    assert asked == 1


async def test_a_store_that_is_closed_is_not_current(pair: tuple[EtcdClusterStore, EtcdClusterStore]) -> None:
    await pair[1].close()
    with pytest.raises(StoreError, match="the store is closed"):
        await pair[1].current()


async def test_one_alone_and_several_do_not_go_together() -> None:
    space = f"/shared-{next(_SPACES)}"
    alone, member = make(space, owner="cluster a"), make(space, sharing="cluster b")
    await alone.start()
    assert not alone.shared
    with pytest.raises(StoreError, match=r"in use by process \d+ of cluster a, which does not share it"):
        await member.start()
    await alone.close()
    await member.start()
    with pytest.raises(StoreError, match=r"shared by process \d+ of cluster b"):
        await make(space, owner="cluster a").start()
    another = make(space, sharing="cluster c")
    await another.start()
    await another.close()
    await member.close()
    await alone.start()
    await alone.close()
