"""`Did you mean this?`: commands close to what was typed (cobra's SuggestionsFor)."""

from __future__ import annotations

from collections.abc import Iterable

_DISTANCE = 2


def similar(typed: str, names: Iterable[str]) -> list[str]:
    lower = typed.lower()
    return [name for name in sorted(names) if _distance(lower, name.lower()) <= _DISTANCE or name.lower().startswith(lower)]


def _distance(left: str, right: str) -> int:
    """Levenshtein."""
    row = list(range(len(right) + 1))
    for index, a in enumerate(left, 1):
        previous, row[0] = row[0], index
        for position, b in enumerate(right, 1):
            previous, row[position] = row[position], min(row[position] + 1, row[position - 1] + 1, previous + (a != b))
    return row[-1]
