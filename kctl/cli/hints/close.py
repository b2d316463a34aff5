"""Which of several words are close to one: what a finger or a memory makes of a word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST: Final = 3
"""So many are told."""
_SHORT: Final = 4
_LONGEST: Final = 253


def distance(left: str, right: str, most: int) -> int:
    """How many letters were typed wrong, left out, added or changed with the next one; `most` + 1 where it is more than that."""
    if abs(len(left) - len(right)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for index, a in enumerate(left, 1):
        above, row = row, [index]
        for position, b in enumerate(right, 1):
            cost = min(row[-1] + 1, above[position] + 1, above[position - 1] + (a != b))
            if before and position > 1 and a == right[position - 2] and left[index - 2] == b:
                cost = min(cost, before[position - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before = above
    return row[-1]


def allowed(word: str) -> int:
    """A short word with two wrong letters is another word."""
    return 1 if len(word) <= _SHORT else 2


def close(typed: str, known: Iterable[str], *, beginnings: bool = True) -> list[str]:
    """The closest first. `beginnings`: also those that begin so (a pod by its Deployment's name)."""
    word = typed.lower()
    if not word or len(word) > _LONGEST:
        return []
    most = allowed(word)
    found: list[tuple[int, str]] = []
    for one in dict.fromkeys(known):
        other = one.lower()
        wrong = distance(word, other, most)
        if wrong > most and beginnings and len(word) > 1 and other.startswith(word):
            wrong = most + 1
        elif wrong > most:
            continue
        found.append((wrong, one))
    nearest = min((wrong for wrong, _ in found), default=0)
    return [one for wrong, one in sorted(found) if wrong in (nearest, 0)][:MOST]


def question(words: Iterable[str]) -> str:
    """`Did you mean "a" or "b"?`; '' for none."""
    quoted = [f'"{word}"' for word in words]
    return f"Did you mean {' or '.join(quoted)}?" if quoted else ""
