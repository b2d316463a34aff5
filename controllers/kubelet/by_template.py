"""What follows from parts of a pod's spec alone, worked out once for all pods of one template.

A controller's pods share the parts of their template by identity (objects are values), so what was made of the same lists and dicts is
known. Those that are known are held on to, or their identity could become another's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
_REMEMBERED = 256


class ByTemplate(Generic[_T]):
    """`make` of some parts: call it with them. What it returns is shared, so it is a value."""

    __slots__ = ("_known", "_make")

    def __init__(self, make: Callable[..., _T]) -> None:
        self._make = make
        self._known: dict[int, tuple[tuple[Any, ...], _T]] = {}

    def __call__(self, *parts: Any) -> _T:
        known = self._known.get(id(parts[0]))
        if known is not None and all(map(operator.is_, known[0], parts)):
            return known[1]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        made = self._make(*parts)
        self._known[id(parts[0])] = parts, made
        return made
