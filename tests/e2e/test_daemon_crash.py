"""SIGKILL of the whole daemon at random moments under load, a few rounds of it; `python -m tests.crash --rounds 200` for many."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.daemon_process import Daemon
from tests.crash.daemon_rounds import Change, DaemonRounds, Ledger

ROUNDS = 3


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.process
async def test_a_killed_cluster_goes_on_where_it_was(daemon: Daemon) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    rounds = DaemonRounds(daemon, seed)
    await rounds.begin()
    for number in range(ROUNDS):
        await rounds.round(number)
    assert rounds.figures.acknowledged > 100 and rounds.figures.deletions_told > 0
    await rounds.comes_to_rest(10)


def _ledger() -> Ledger:
    """Created at 3, deleted and created again at 7; an update is under way."""
    ledger = Ledger()
    for type_, value, revision in (("ADDED", "1", 3), ("DELETED", "1", 0), ("ADDED", "2", 7)):
        ledger.sent("map", type_, value)
        ledger.answered("map", revision)
    ledger.sent("map", "MODIFIED", "3")
    return ledger


TOLD = [("map", Change("ADDED", "1", 3)), ("map", Change("DELETED", "1", 5)), ("map", Change("ADDED", "2", 7))]


def test_the_ledger_takes_over_what_was_stored_unanswered() -> None:
    ledger = _ledger()
    assert ledger.settle(TOLD) == 0 and ledger.present == {"map": "2"}
    ledger = _ledger()
    assert ledger.settle([*TOLD, ("map", Change("MODIFIED", "3", 9))]) == 1 and ledger.present == {"map": "3"}


@pytest.mark.parametrize(
    "told",
    [
        [TOLD[0], TOLD[2]],
        TOLD[:2],
        [],
        [TOLD[0], *TOLD],
        [TOLD[0], TOLD[2], TOLD[1]],
        [*TOLD, ("map", Change("MODIFIED", "other", 9))],
        [*TOLD, *[("map", Change("MODIFIED", "3", 9))] * 2],
    ],
    ids=["a deletion is missing", "the last is missing", "all is missing", "one twice", "out of order", "never sent", "under way, twice"],
)
def test_the_ledger_sees_what_a_watch_lost_or_made_up(told: list[tuple[str, Change]]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        _ledger().settle(told)
