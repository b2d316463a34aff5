"""How much of a document the API takes: limits that hold for every body, whatever its format.

Go reads JSON and YAML 10,000 levels deep. 200 levels are what every walk over an object here can take (each level costs up to three
Python frames, an answer puts an object into lists, events and rows, and its encoder ends at 254), and no Kubernetes object in use
comes near them: a deep custom resource has 40.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
MAX_DEPTH = 200
EXCEEDED = "exceeded max depth"
"""encoding/json's words."""


def survey(value: Any) -> tuple[int, int]:
    """(how many keys the maps of a JSON value have together, how deeply it nests). A scalar has depth 0."""
    keys = depth = 0
    level = [value]
    while level:
        below: list[Any] = []
        for item in level:
            kind = item.__class__
            if kind is dict:
                keys += len(item)
                below += [inner for inner in item.values() if inner.__class__ is dict or inner.__class__ is list]
            elif kind is list:
                below += [inner for inner in item if inner.__class__ is dict or inner.__class__ is list]
            else:
                return keys, depth
        depth += 1
        level = below
    return keys, depth


def too_deep(value: Any) -> bool:
    return survey(value)[1] > MAX_DEPTH


def cache_short(maxsize: int, longest: int = 256) -> Callable[[Callable[Concatenate[str, P], T]], Callable[Concatenate[str, P], T]]:
    """lru_cache for a function of a text from outside; a text longer than `longest` is not kept, so memory has a bound, too."""

    def decorate(function: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
        cached: Any = lru_cache(maxsize)(function)

        @wraps(function)
        def call(text: str, /, *rest: P.args, **options: P.kwargs) -> T:
            if len(text) > longest:
                return function(text, *rest, **options)
            return cached(text, *rest, **options)  # type: ignore[no-any-return]

        return call

    return decorate
