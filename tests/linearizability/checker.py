"""Is a history of concurrent operations on one object linearizable? The search of Wing and Gong with Lowe's memory of what was tried.

An operation has an invocation and an answer. A history is linearizable where each operation can be given one moment between the two so
that the answers are those of a single register: an object that is there or not, with a value and a revision that grows with each write.
An operation without an answer (the server was killed) may have happened at any later moment, or never.

Objects are independent of one another (linearizability is local), so each key is judged alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["create", "update", "delete", "get"]
Outcome = Literal["done", "exists", "missing", "conflict", "unknown"]
UNANSWERED = float("inf")
MOST_STATES = 2_000_000


@dataclass(frozen=True, slots=True)
class Operation:
    """`expected`: the revision a write named, 0 for none. `value` and `revision`: what a create or update wrote and was answered with,
    or what a get found. Of a deletion no revision is answered."""

    kind: Kind
    outcome: Outcome
    invoked: float
    answered: float
    value: str = ""
    revision: int = 0
    expected: int = 0


class Register(NamedTuple):
    """`newest` is the highest revision known to have been given for this key. `revision` 0: not known, as after an unanswered write."""

    present: bool = False
    value: str = ""
    revision: int = 0
    newest: int = 0


ABSENT = Register()


class TooManyStates(Exception):
    """The history is too entangled to be judged; neither yes nor no."""


def apply(state: Register, operation: Operation) -> Register | None:
    """The register after the operation; None where its answer does not fit."""
    if operation.kind == "get":
        return _get(state, operation)
    if operation.outcome == "exists":
        return state if operation.kind == "create" and state.present else None
    if operation.outcome == "missing":
        return state if operation.kind != "create" and not state.present else None
    if operation.outcome == "conflict":
        return state if operation.expected and state.present and state.revision != operation.expected else None
    return _write(state, operation)


def _get(state: Register, operation: Operation) -> Register | None:
    if operation.outcome == "missing":
        return state if not state.present else None
    if not state.present or state.value != operation.value:
        return None
    if state.revision == 0 and operation.revision > state.newest:
        return state._replace(revision=operation.revision, newest=operation.revision)
    return state if state.revision == operation.revision else None


def _write(state: Register, operation: Operation) -> Register | None:
    if (operation.kind == "create") == state.present:
        return None
    if operation.expected and not (state.revision == operation.expected or (state.revision == 0 and operation.expected > state.newest)):
        return None
    newest = max(state.newest, operation.expected)
    if operation.kind == "delete":
        return Register(newest=newest)
    if operation.outcome == "unknown":
        return Register(True, operation.value, 0, newest)
    if operation.revision <= newest:
        return None
    return Register(True, operation.value, operation.revision, operation.revision)


class _Moment(NamedTuple):
    at: float
    is_answer: bool
    number: int


def _moments(operations: Sequence[Operation]) -> list[_Moment]:
    """In order; of what happens at the same instant invocations go first, which allows more orders, not fewer."""
    moments = [_Moment(one.invoked, False, number) for number, one in enumerate(operations)]
    return sorted([*moments, *(_Moment(one.answered, True, number) for number, one in enumerate(operations))])


class _Search:
    """Depth first over the orders that respect real time: next may be any operation invoked before the first answer that is still
    outstanding. What has been tried is remembered as (which operations are placed, register)."""

    def __init__(self, operations: Sequence[Operation], start: Register) -> None:
        self._operations = operations
        self._moments = _moments(operations)
        self._start = start
        self._tried: set[tuple[int, Register]] = set()
        self._required = sum(1 << number for number, one in enumerate(operations) if one.outcome != "unknown")

    def succeeds(self) -> bool:
        stack: list[tuple[int, Register, int]] = [(0, self._start, 0)]
        while stack:
            placed, state, position = stack.pop()
            if placed & self._required == self._required:
                return True
            while self._is_over(placed, position):
                position += 1
            for number in self._candidates(placed, position):
                after = apply(state, self._operations[number])
                if after is not None and self._is_new((placed | 1 << number, after)):
                    stack.append((placed | 1 << number, after, position))
        return False

    def _is_over(self, placed: int, position: int) -> bool:
        return position < len(self._moments) and bool(placed >> self._moments[position].number & 1)

    def _candidates(self, placed: int, position: int) -> Iterable[int]:
        for moment in self._moments[position:]:
            if placed >> moment.number & 1:
                continue
            if moment.is_answer:
                return
            yield moment.number

    def _is_new(self, found: tuple[int, Register]) -> bool:
        if found in self._tried:
            return False
        self._tried.add(found)
        if len(self._tried) > MOST_STATES:
            raise TooManyStates(f"{len(self._operations)} operations, {MOST_STATES} states tried")
        return True


def is_linearizable(operations: Sequence[Operation], start: Register = ABSENT) -> bool:
    """Raises TooManyStates."""
    return _Search(operations, start).succeeds()


def smallest_bad_part(operations: Sequence[Operation], start: Register = ABSENT) -> Sequence[Operation]:
    """Of a history that is not linearizable: its shortest beginning (in the order of answers) that is not, for a person to read."""
    ordered = sorted(operations, key=lambda one: one.answered)
    low, high = 1, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if is_linearizable(_until(ordered, middle), start):
            low = middle + 1
        else:
            high = middle
    return _until(ordered, low)


def _until(ordered: Sequence[Operation], count: int) -> list[Operation]:
    """The first `count` answers; writes that were under way then are unanswered."""
    last = ordered[count - 1].answered
    cut = [
        Operation(one.kind, "unknown", one.invoked, UNANSWERED, one.value, 0, one.expected)
        for one in ordered[count:]
        if one.invoked <= last and one.kind != "get" and one.outcome in ("done", "unknown")
    ]
    return [*ordered[:count], *cut]
