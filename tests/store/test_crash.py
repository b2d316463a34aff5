"""SIGKILL at random moments under load, a few rounds of it; `python -m tests.crash --rounds 200` for many."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.crash.store_rounds import Change, Ledger, StoreRounds

ROUNDS = 10


@pytest.mark.process
async def test_a_killed_store_keeps_what_it_acknowledged_and_tells_it_to_watches(tmp_path: Path) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    rounds = StoreRounds(tmp_path / "state.db", seed)
    for number in range(ROUNDS):
        await rounds.round(number)
    assert rounds.figures.acknowledged > 100 and rounds.figures.deletions_told > 10


def _ledger() -> Ledger:
    ledger = Ledger()
    ledger.started(1, [["Put", "/a", "1"], ["Put", "/b", "1"]])
    return ledger


def test_the_ledger_sees_a_half_stored_transaction() -> None:
    value = _ledger().under_way[1][0].value
    with pytest.raises(AssertionError, match="half stored"):
        _ledger().settle({1: Change("PUT", "/a", value)})


def test_the_ledger_takes_over_what_was_stored_unanswered() -> None:
    ledger = _ledger()
    changes = ledger.under_way[1]
    assert ledger.settle(dict(enumerate(changes, 1))) == (1, 1)
    assert ledger.newest == 2 and set(ledger.live) == {"/a", "/b"}
    assert _ledger().settle({}) == (1, 0)
