"""Go's sort, for what does not depend on its being unstable: everything comes out in order."""

from __future__ import annotations

import random

import pytest

from kctl.cli import go_sort

LENGTHS = [0, 1, 2, 11, 12, 13, 49, 50, 51, 400]
SHAPES = {
    "random": lambda n: random.Random(n).sample(range(n), n),
    "rising": lambda n: list(range(n)),
    "falling": lambda n: list(range(n))[::-1],
    "equal": lambda n: [1] * n,
    "two values": lambda n: [one % 2 for one in range(n)],
    "organ pipe": lambda n: [*range(n // 2), *range(n - n // 2)[::-1]],
    "nearly": lambda n: [*range(1, n), 0] if n else [],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("length", LENGTHS)
def test_in_order(shape: str, length: int) -> None:
    things = SHAPES[shape](length)
    wanted = sorted(things)
    go_sort.sort(things, lambda a, b: a < b)
    assert things == wanted


def test_when_pivots_are_bad() -> None:
    things = random.Random(1).sample(range(300), 300)
    sorting = go_sort._Sorting(things, lambda a, b: a < b)
    sorting.heap_sort(0, 300)
    assert things == list(range(300))


def test_what_is_less_than_itself_moves_to_the_front() -> None:
    """As events without a timestamp do: each passes all before it."""
    things = [("a", 2), ("b", None), ("c", 1), ("d", None)]
    go_sort.sort(things, lambda x, y: x[1] is None or (y[1] is not None and x[1] < y[1]))
    assert [name for name, _ in things] == ["d", "b", "c", "a"]
