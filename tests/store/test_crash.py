"""SIGKILL at random moments under load: what was answered is there, nothing is half there, revisions go on.

A child process writes with many concurrent writers and prints every acknowledged write; the parent kills it without warning,
opens what is left and compares. The same files live through all rounds. What the operating system has been told to sync survives
even a power failure; that cannot be tried here.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from store.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]
ROUNDS = 8
PAIR_SIZE = 3

_CHILD = """
import asyncio, itertools, sys
from pathlib import Path
from store.sqlite import SqliteStore
from store.types import Put

async def writer(store, number, round_number):
    counter = f"/counter/{number:02}"
    for step in itertools.count():
        present = await store.get(counter)
        value = f"{round_number}.{step}".encode() + b"." * 2000
        if present is None:
            revision = await store.create(counter, value)
        else:
            revision = await store.update(counter, value, present.mod_revision)
        print("counter", counter, revision, round_number, step, flush=True)
        names = [f"/group/{round_number}/{number:02}/{step:06}/{part}" for part in range(PAIR_SIZE)]
        revisions = await store.transaction([Put(name, name.encode() * 20, 0) for name in names])
        print("group", names[0][:-2], *revisions, flush=True)
        if step % 7 == 3:
            print("gone", names[0][:-2], *(await store.transaction([Delete(name) for name in names])), flush=True)

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.start()
    print("started", store.revision, flush=True)
    await asyncio.gather(*(writer(store, number, int(sys.argv[2])) for number in range(20)), compactions(store))

async def compactions(store):
    while True:
        await asyncio.sleep(0.05)
        if store.revision > 2000:
            await store.compact(store.revision - 1000)

asyncio.run(main())
""".replace("PAIR_SIZE", str(PAIR_SIZE)).replace("import Put", "import Delete, Put")


def _load_until_killed(path: Path, round_number: int, seconds: float) -> list[list[str]]:
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(path), str(round_number)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    first = child.stdout.readline()
    killer = threading.Timer(seconds, lambda: child.send_signal(signal.SIGKILL))
    killer.start()
    text = first + child.stdout.read()
    child.wait()
    killer.cancel()
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL
    whole, _, cut_off = text.rpartition("\n")
    assert "Traceback" not in cut_off
    return [line.split() for line in whole.splitlines()]


class Ledger:
    """What has been acknowledged in all rounds so far."""

    def __init__(self) -> None:
        self.newest = 0
        self.counters: dict[str, tuple[int, int, int]] = {}
        self.groups: set[str] = set()
        self.gone: set[str] = set()

    def read(self, lines: list[list[str]]) -> None:
        for kind, key, *numbers in lines[1:]:
            self.newest = max(self.newest, int(numbers[-1] if kind != "counter" else numbers[0]))
            if kind == "counter":
                revision, round_number, step = map(int, numbers)
                self.counters[key] = (revision, round_number, step)
            elif kind == "group":
                self.groups.add(key)
            else:
                self.groups.discard(key)
                self.gone.add(key)


async def _check(store: SqliteStore, ledger: Ledger) -> None:
    assert store.revision >= ledger.newest
    for key, (revision, round_number, step) in ledger.counters.items():
        found = await store.get(key)
        assert found is not None and found.mod_revision >= revision
        text = found.value.rstrip(b".").decode()
        assert tuple(map(int, text.split("."))) >= (round_number, step)
        assert len(found.value) == len(text) + 2000
    members: dict[str, int] = {}
    for entry in (await store.range("/group/", "/group0")).key_values:
        assert entry.value == entry.key.encode() * 20
        group = entry.key.rpartition("/")[0]
        members[group] = members.get(group, 0) + 1
    assert set(members.values()) <= {PAIR_SIZE}, "a transaction was half applied"
    # A group may be gone though only its creation was acknowledged: then its deletion was on the way.
    missing = ledger.groups - set(members)
    assert all(int(name.rpartition("/")[2]) % 7 == 3 for name in missing) and len(missing) <= 20 * ROUNDS
    assert not ledger.gone & set(members)


async def _check_history(store: SqliteStore) -> None:
    start = max(store.compact_revision, 1)
    events = store.watch("/", start_revision=start)
    seen = [event.key_value.mod_revision for event in await anext(events)]
    assert seen[-1] == store.revision
    assert [revision for revision in seen if revision > start] == list(range(start + 1, store.revision + 1))
    await events.aclose()  # type: ignore[attr-defined]


@pytest.mark.process
async def test_a_killed_store_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    randomness = random.Random(20)
    path, ledger, acknowledged = tmp_path / "state.db", Ledger(), 0
    for round_number in range(ROUNDS):
        lines = _load_until_killed(path, round_number, randomness.uniform(0.02, 0.4))
        assert lines[0][0] == "started" and int(lines[0][1]) >= ledger.newest
        ledger.read(lines)
        acknowledged += len(lines) - 1
        store = SqliteStore(path)
        await store.start()
        await _check(store, ledger)
        await _check_history(store)
        before = store.revision
        assert await store.create(f"/after/{round_number}", b"") == before + 1
        await store.close()
    assert acknowledged > 1000
