"""The checker itself: it says no to the histories that broken stores make, yes to what a register can do, and what a search through all
orders says."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from tests.linearizability import checker
from tests.linearizability.checker import ABSENT, UNANSWERED, Kind, Operation, Outcome, TooManyStates, apply, is_linearizable
from tests.linearizability.load import revisions_against_time


def create(invoked: float, answered: float, value: str, revision: int) -> Operation:
    return Operation("create", "done", invoked, answered, value, revision)


def update(invoked: float, answered: float, value: str, revision: int, expected: int = 0) -> Operation:
    return Operation("update", "done", invoked, answered, value, revision, expected)


def got(invoked: float, answered: float, value: str, revision: int) -> Operation:
    return Operation("get", "done", invoked, answered, value, revision)


def missing(invoked: float, answered: float, kind: Kind = "get") -> Operation:
    return Operation(kind, "missing", invoked, answered)


def deleted(invoked: float, answered: float, expected: int = 0) -> Operation:
    return Operation("delete", "done", invoked, answered, expected=expected)


def refused(outcome: Outcome, kind: Kind, invoked: float, answered: float, expected: int = 0) -> Operation:
    return Operation(kind, outcome, invoked, answered, expected=expected)


def unanswered(kind: Kind, invoked: float, value: str = "", expected: int = 0) -> Operation:
    return Operation(kind, "unknown", invoked, UNANSWERED, value, 0, expected)


A = create(0, 1, "a", 1)

BAD: dict[str, list[Operation]] = {
    "a read goes back to what was overwritten": [A, update(2, 3, "b", 2), got(4, 5, "a", 1)],
    "an acknowledged write is lost": [A, missing(2, 3)],
    "two updates of the same revision both win": [A, update(2, 5, "b", 2, 1), update(3, 4, "c", 3, 1)],
    "two creates at the same time both win": [create(0, 3, "a", 1), create(1, 2, "b", 2)],
    "a value nobody wrote": [A, got(2, 3, "x", 1)],
    "a value of another revision": [A, got(2, 3, "a", 7)],
    "a read before the write it shows": [got(0, 1, "a", 1), create(2, 3, "a", 1)],
    "two readers see two writes in different orders": [
        A,
        update(2, 20, "b", 2),
        update(3, 21, "c", 3),
        got(4, 5, "c", 3),
        got(6, 7, "b", 2),
    ],
    "a conflict although the revision was right": [A, refused("conflict", "update", 2, 3, 1)],
    "already exists although it never did": [refused("exists", "create", 0, 1)],
    "deleted, and deleted again": [A, deleted(2, 3), deleted(4, 5)],
    "deleted, and still there": [A, deleted(2, 3), got(4, 5, "a", 1)],
    "not found although it is there": [A, missing(2, 3, "update")],
    "a deletion that named an old revision": [A, update(2, 3, "b", 2), deleted(4, 5, 1)],
    "a revision that was given before": [A, update(2, 3, "b", 1)],
    "a revision that goes back when made again": [create(0, 1, "a", 5), deleted(2, 3), create(4, 5, "b", 4)],
    "seen after an unanswered write, then gone without a deletion": [unanswered("create", 0, "a"), got(1, 2, "a", 1), missing(3, 4)],
    "an unanswered write that shows at two revisions": [unanswered("create", 0, "a"), got(1, 2, "a", 1), got(3, 4, "a", 2)],
    "an unanswered update of a revision that is over": [A, update(2, 3, "b", 2), unanswered("update", 4, "c", 1), got(5, 6, "c", 3)],
}

GOOD: dict[str, list[Operation]] = {
    "nothing": [],
    "one after the other": [A, update(2, 3, "b", 2, 1), got(4, 5, "b", 2), deleted(6, 7, 2), missing(8, 9), create(10, 11, "c", 9)],
    "a read during a write sees the old": [A, update(2, 9, "b", 2), got(3, 4, "a", 1), got(5, 6, "b", 2)],
    "one of two creates loses": [create(0, 3, "a", 1), refused("exists", "create", 1, 2)],
    "one of two updates loses": [A, update(2, 5, "b", 2, 1), refused("conflict", "update", 3, 4, 1)],
    "answers in another order than the writes": [A, update(2, 9, "b", 3), update(3, 4, "c", 2), got(5, 6, "c", 2), got(10, 11, "b", 3)],
    "an unanswered write that never happened": [unanswered("create", 0, "a"), missing(1, 2), create(3, 4, "b", 1)],
    "an unanswered write that happened late": [unanswered("create", 0, "a"), missing(1, 2), got(3, 4, "a", 1), update(5, 6, "b", 2, 1)],
    "an unanswered deletion that happened": [A, unanswered("delete", 2), got(3, 4, "a", 1), missing(5, 6)],
    "an unanswered update that another one names": [A, unanswered("update", 2, "b"), update(3, 4, "c", 3, 2)],
}


@pytest.mark.parametrize("history", BAD.values(), ids=BAD)
def test_what_a_broken_store_would_answer_is_seen(history: list[Operation]) -> None:
    assert not is_linearizable(history)
    part = checker.smallest_bad_part(history)
    assert not is_linearizable(part) and len(part) <= len(history)


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD)
def test_what_a_register_can_do_is_allowed(history: list[Operation]) -> None:
    assert is_linearizable(history)


def test_only_the_bad_beginning_is_shown() -> None:
    later = [update(10 + 2 * number, 11 + 2 * number, f"v{number}", 10 + number) for number in range(20)]
    bad = BAD["a read goes back to what was overwritten"]
    assert list(checker.smallest_bad_part([*later, *bad])) == bad


def test_a_history_that_is_too_entangled_is_not_called_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "MOST_STATES", 100)
    writes = [unanswered("create", 0, str(number)) for number in range(10)] + [unanswered("delete", 0) for _ in range(10)]
    with pytest.raises(TooManyStates):
        is_linearizable([*writes, got(1, 2, "never written", 1)])


def _by_all_orders(operations: Sequence[Operation]) -> bool:
    """Every order of every choice of the unanswered ones."""
    needed = [one for one in operations if one.outcome != "unknown"]
    open_ends = [one for one in operations if one.outcome == "unknown"]
    for size in range(len(open_ends) + 1):
        for chosen in itertools.combinations(open_ends, size):
            if any(_explains(order) for order in itertools.permutations([*needed, *chosen])):
                return True
    return False


def _explains(order: Sequence[Operation]) -> bool:
    if any(later.answered < earlier.invoked for position, earlier in enumerate(order) for later in order[position + 1 :]):
        return False
    state = ABSENT
    for operation in order:
        after = apply(state, operation)
        if after is None:
            return False
        state = after
    return True


def _played(randomness: random.Random, count: int) -> list[Operation]:
    """What a register answered, each operation at a moment within its interval; some answers are lost."""
    state, operations, revision = ABSENT, [], 0
    for moment in range(count):
        kind: Kind = randomness.choice(("create", "update", "delete", "get"))
        expected = randomness.choice((0, max(state.revision, 1), 1)) if kind in ("update", "delete") else 0
        done: tuple[Outcome, str, int] = ("done", "" if kind == "delete" else str(moment), revision + 1)
        if kind == "get":
            done = ("done", state.value, state.revision)
        others: list[tuple[Outcome, str, int]] = [("exists", "", 0), ("missing", "", 0), ("conflict", "", 0)]
        answers = [
            Operation(kind, outcome, moment - randomness.random() * 3, moment + randomness.random() * 3, value, number, expected)
            for outcome, value, number in (done, *others)
        ]
        one, after = next((one, after) for one in answers if (after := apply(state, one)) is not None)
        revision += one.outcome == "done" and kind != "get"
        state = after
        if one.outcome == "done" and kind != "get" and randomness.random() < 0.2:
            one = Operation(kind, "unknown", one.invoked, UNANSWERED, one.value, 0, expected)
        operations.append(one)
    return operations


def _spoilt(operations: list[Operation], randomness: random.Random) -> list[Operation]:
    """With two answers exchanged."""
    answered = [number for number, one in enumerate(operations) if one.outcome != "unknown"]
    first, second = randomness.sample(answered, 2)
    a, b = operations[first], operations[second]
    spoilt = list(operations)
    spoilt[first] = Operation(a.kind, b.outcome, a.invoked, a.answered, b.value, b.revision, a.expected)
    spoilt[second] = Operation(b.kind, a.outcome, b.invoked, b.answered, a.value, a.revision, b.expected)
    return spoilt


@pytest.mark.parametrize("seed", range(60))
def test_it_says_what_a_search_through_all_orders_says(seed: int) -> None:
    randomness = random.Random(seed)
    operations = _played(randomness, 6)
    assert is_linearizable(operations)
    for _ in range(5):
        spoilt = _spoilt(operations, randomness)
        assert is_linearizable(spoilt) == _by_all_orders(spoilt)


def test_a_long_played_history_is_judged() -> None:
    operations = _played(random.Random(1), 400)
    assert is_linearizable(operations)
    late = [one for one in operations if one.kind == "get" and one.outcome == "done"][-1]
    assert not is_linearizable([*operations, Operation("get", "done", 500, 501, late.value + "?", late.revision)])


def test_revisions_of_different_keys_follow_time() -> None:
    assert revisions_against_time([create(0, 1, "a", 1), create(2, 3, "b", 2), create(2, 3, "c", 3)]) == ""
    assert "although 2 had been answered" in revisions_against_time([create(0, 1, "a", 2), create(2, 3, "b", 1)])
    assert "although 2 had been answered" in revisions_against_time([got(0, 1, "a", 2), create(2, 3, "b", 2)])
    assert revisions_against_time([create(0, 3, "a", 2), create(2, 5, "b", 1)]) == ""
