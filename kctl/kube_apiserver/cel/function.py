"""What a function of CEL is, and how the cost of calling one is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kctl.kube_apiserver.cel.values import size_of


class Function(NamedTuple):
    """`call` gets values and gives one, or raises CelError; `cost` is what calling it with these costs, where that is not one."""

    call: Callable[..., Any]
    cost: Callable[..., int] | None = None


Functions = dict[str, Function]


def tenth(*sizes: int) -> int:
    """The cost of going through texts of these lengths: a tenth of one each character, at least one."""
    return max(1, -(-sum(sizes) // 10))


def traverse(*values: Any) -> int:
    return tenth(*(size_of(value) for value in values))


def items(value: Any, *_: Any) -> int:
    """The cost of looking at each item once."""
    return max(1, size_of(value))


def product(value: Any, other: Any, *_: Any) -> int:
    """The cost of looking at each item of one for each of the other."""
    return max(1, size_of(value) * size_of(other))


def match_cost(text: Any, pattern: Any, *_: Any) -> int:
    return max(1, tenth(size_of(text) + 1) * max(1, -(-size_of(pattern) // 4)))


def contains_cost(text: Any, part: Any, *_: Any) -> int:
    return max(1, tenth(size_of(text)) * tenth(size_of(part)))
