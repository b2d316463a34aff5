"""Sets of completion indexes as status.completedIndexes writes them: `0,2-4,7`.

Pure. A set is a list of (first, last), in order, none touching the next.
"""

from __future__ import annotations

from collections.abc import Iterable

Intervals = list[tuple[int, int]]


def parse(text: str, completions: int) -> Intervals:
    """What cannot be read is left out, and so is what lies beyond `completions`."""
    intervals: Intervals = []
    for part in text.split(",") if text else ():
        low, dash, high = part.partition("-")
        try:
            first = int(low)
            last = min(int(high), completions - 1) if dash else first
        except ValueError:
            continue
        if first >= completions:
            break
        intervals.append((first, last))
    return _joined(intervals)


def text_of(intervals: Intervals) -> str:
    return ",".join(_one(first, last) for first, last in intervals)


def _one(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"


def _joined(intervals: Iterable[tuple[int, int]]) -> Intervals:
    joined: Intervals = []
    for first, last in sorted(intervals):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def union(intervals: Intervals, other: Intervals) -> Intervals:
    return _joined([*intervals, *other])


def with_indexes(intervals: Intervals, indexes: Iterable[int]) -> Intervals:
    return _joined([*intervals, *((index, index) for index in indexes)])


def total(intervals: Intervals) -> int:
    return sum(last - first + 1 for first, last in intervals)


def contains(intervals: Intervals, index: int) -> bool:
    return any(first <= index <= last for first, last in intervals)


def overlap(intervals: Intervals, other: Intervals) -> int:
    """How many indexes are in both."""
    return sum(max(min(last, end) - max(first, begin) + 1, 0) for first, last in intervals for begin, end in other)


def first_missing(intervals: Intervals, count: int, completions: int) -> list[int]:
    """The lowest `count` indexes below `completions` that are not in the set."""
    missing: list[int] = []
    candidate = 0
    for first, last in [*intervals, (completions, completions)]:
        while candidate < min(first, completions) and len(missing) < count:
            missing.append(candidate)
            candidate += 1
        candidate = max(candidate, last + 1)
    return missing
