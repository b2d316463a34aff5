"""Go's sort.Sort: a pattern-defeating quicksort that is not stable, step for step.

`kubectl get --sort-by` shows equal rows, and rows without the field (which it calls less than every other, each other included), in
whatever order this algorithm leaves them; events of one second are such rows. Only the same steps give the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_INSERTION = 12
_NINTHER = 50
_SHIFTING = 50
_STEPS = 5
_INCREASING, _UNKNOWN, _DECREASING = 1, 0, -1
_WORD = (1 << 64) - 1


def sort(things: list[Any], less: Callable[[Any, Any], bool]) -> None:
    """In place."""
    _Sorting(things, less).quicksort(0, len(things), len(things).bit_length())


class _Sorting:
    """Ranges are half open: [a, b)."""

    def __init__(self, things: list[Any], less: Callable[[Any, Any], bool]) -> None:
        self.things = things
        self._less = less

    def less(self, i: int, j: int) -> bool:
        return self._less(self.things[i], self.things[j])

    def swap(self, i: int, j: int) -> None:
        self.things[i], self.things[j] = self.things[j], self.things[i]

    def quicksort(self, a: int, b: int, limit: int) -> None:
        """`limit` bad pivots may be met before heap sort takes over."""
        balanced = partitioned = True
        while b - a > _INSERTION:
            length = b - a
            if limit == 0:
                self.heap_sort(a, b)
                return
            if not balanced:
                self.break_patterns(a, b)
                limit -= 1
            pivot, hint = self.choose_pivot(a, b)
            if hint == _DECREASING:
                self.things[a:b] = self.things[a:b][::-1]
                pivot, hint = (b - 1) - (pivot - a), _INCREASING
            if balanced and partitioned and hint == _INCREASING and self.nearly_sorted(a, b):
                return
            if a > 0 and not self.less(a - 1, pivot):
                a = self.partition_equal(a, b, pivot)
                continue
            middle, partitioned = self.partition(a, b, pivot)
            left, right = middle - a, b - middle
            balanced = min(left, right) >= length // 8
            if left < right:
                self.quicksort(a, middle, limit)
                a = middle + 1
            else:
                self.quicksort(middle + 1, b, limit)
                b = middle
        self.insertion_sort(a, b)

    def insertion_sort(self, a: int, b: int) -> None:
        for i in range(a + 1, b):
            for j in range(i, a, -1):
                if not self.less(j, j - 1):
                    break
                self.swap(j, j - 1)

    def heap_sort(self, a: int, b: int) -> None:
        size = b - a
        for root in range((size - 1) // 2, -1, -1):
            self._sift_down(root, size, a)
        for last in range(size - 1, -1, -1):
            self.swap(a, a + last)
            self._sift_down(0, last, a)

    def _sift_down(self, root: int, size: int, a: int) -> None:
        while (child := 2 * root + 1) < size:
            if child + 1 < size and self.less(a + child, a + child + 1):
                child += 1
            if not self.less(a + root, a + child):
                return
            self.swap(a + root, a + child)
            root = child

    def partition(self, a: int, b: int, pivot: int) -> tuple[int, bool]:
        """Smaller ones left of the pivot's new place, and whether they all stood there already."""
        self.swap(a, pivot)
        i, j = self._inward(a + 1, b - 1, a)
        if i > j:
            self.swap(j, a)
            return j, True
        while i <= j:
            self.swap(i, j)
            i, j = self._inward(i + 1, j - 1, a)
        self.swap(j, a)
        return j, False

    def _inward(self, i: int, j: int, pivot: int) -> tuple[int, int]:
        while i <= j and self.less(i, pivot):
            i += 1
        while i <= j and not self.less(j, pivot):
            j -= 1
        return i, j

    def partition_equal(self, a: int, b: int, pivot: int) -> int:
        """What equals the pivot first; where the rest begins."""
        self.swap(a, pivot)
        i, j = a + 1, b - 1
        while True:
            while i <= j and not self.less(a, i):
                i += 1
            while i <= j and self.less(a, j):
                j -= 1
            if i > j:
                return i
            self.swap(i, j)
            i, j = i + 1, j - 1

    def nearly_sorted(self, a: int, b: int) -> bool:
        """Move a few strays; True if the range is sorted then."""
        i = a + 1
        for _ in range(_STEPS):
            while i < b and not self.less(i, i - 1):
                i += 1
            if i == b:
                return True
            if b - a < _SHIFTING:
                return False
            self.swap(i, i - 1)
            if i - a >= 2:
                self._shift(range(i - 1, 0, -1))
            if b - i >= 2:
                self._shift(range(i + 1, b))
        return False

    def _shift(self, positions: range) -> None:
        for j in positions:
            if not self.less(j, j - 1):
                return
            self.swap(j, j - 1)

    def break_patterns(self, a: int, b: int) -> None:
        """Three swaps that look random and are the same for every range of this length."""
        length = b - a
        if length < 8:
            return
        random, mask = length, (1 << length.bit_length()) - 1
        index = a + (length // 4) * 2 - 1
        for step in range(3):
            random ^= (random << 13) & _WORD
            random ^= random >> 7
            random ^= (random << 17) & _WORD
            other = random & mask
            if other >= length:
                other -= length
            self.swap(index + step, a + other)

    def choose_pivot(self, a: int, b: int) -> tuple[int, int]:
        """The pivot, and whether the range looks increasing or decreasing."""
        length = b - a
        i, j, k = (a + length // 4 * quarter for quarter in (1, 2, 3))
        swaps = 0

        def ordered(x: int, y: int) -> tuple[int, int]:
            nonlocal swaps
            if self.less(y, x):
                swaps += 1
                return y, x
            return x, y

        def median(x: int, y: int, z: int) -> int:
            x, y = ordered(x, y)
            y, z = ordered(y, z)
            x, y = ordered(x, y)
            return y

        if length >= 8:
            if length >= _NINTHER:
                i, j, k = median(i - 1, i, i + 1), median(j - 1, j, j + 1), median(k - 1, k, k + 1)
            j = median(i, j, k)
        return j, {0: _INCREASING, 12: _DECREASING}.get(swaps, _UNKNOWN)
