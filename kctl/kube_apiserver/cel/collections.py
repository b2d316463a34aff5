"""Lists, sets, two-variable helpers and mathematics: Kubernetes' lists library, cel-go's ext.Lists, ext.Sets and ext.Math as far as
Kubernetes enables them."""

from __future__ import annotations

import base64
import binascii
import math
from datetime import timedelta
from typing import Any

from kctl.kube_apiserver.cel import effort
from kctl.kube_apiserver.cel.function import Function, Functions, items, product, traverse
from kctl.kube_apiserver.cel.values import CelError, ListValue, Uint, equal, integer, is_number, no_such_overload, unsigned


def _list(value: Any) -> ListValue:
    if not isinstance(value, ListValue):
        raise no_such_overload()
    return value


def _less(left: Any, right: Any) -> bool:
    if (is_number(left) and is_number(right)) or (type(left) is type(right) and isinstance(left, str | bytes | bool | timedelta)):
        return bool(left < right)
    try:
        return bool(left < right)
    except TypeError:
        raise no_such_overload() from None


def _is_sorted(value: Any) -> bool:
    values = _list(value)
    return not any(_less(values[index], values[index - 1]) for index in range(1, len(values)))


def _sum(value: Any) -> Any:
    values = _list(value)
    if not len(values):
        return 0
    total = values[0]
    for item in values[1:]:
        if type(item) is not type(total) or isinstance(item, bool | str):
            raise no_such_overload()
        total = total + item
        if isinstance(item, Uint):
            total = unsigned(total)
        elif isinstance(item, int):
            total = integer(total)
    return total


def _extreme(value: Any, *, least: bool) -> Any:
    values = _list(value)
    if not len(values):
        raise CelError(f"{'min' if least else 'max'} called on empty list")
    best = values[0]
    for item in values[1:]:
        if _less(item, best) if least else _less(best, item):
            best = item
    return best


def _contains_all(value: Any, others: Any) -> bool:
    values = _list(value)
    return all(any(equal(item, each) for each in values) for item in _list(others))


def _intersects(value: Any, others: Any) -> bool:
    values = _list(value)
    return any(equal(item, each) for each in values for item in _list(others))


def _greatest(*values: Any) -> Any:
    return _extreme(values[0] if len(values) == 1 and isinstance(values[0], ListValue) else ListValue(values), least=False)


def _least(*values: Any) -> Any:
    return _extreme(values[0] if len(values) == 1 and isinstance(values[0], ListValue) else ListValue(values), least=True)


def _rounded(change: Any) -> Any:
    def apply(value: Any) -> float:
        if not isinstance(value, float):
            raise no_such_overload()
        return value if math.isinf(value) or math.isnan(value) else float(change(value))

    return apply


def _absolute(value: Any) -> Any:
    if not is_number(value):
        raise no_such_overload()
    return integer(abs(value)) if isinstance(value, int) and not isinstance(value, Uint) else abs(value)


def _slice(value: Any, start: Any, end: Any) -> ListValue:
    values = _list(value)
    if not is_number(start) or not is_number(end):
        raise no_such_overload()
    if not 0 <= start <= end <= len(values):
        raise CelError(f"cannot slice({start}, {end}), list is length {len(values)}")
    return ListValue(values[start:end])


def _flatten(value: Any, depth: Any = 1) -> ListValue:
    if depth < 0:
        raise CelError("level must be non-negative")
    made: list[Any] = []
    for item in _list(value):
        parts = _flatten(item, depth - 1) if isinstance(item, ListValue) and depth > 0 else [item]
        effort.spend(len(parts))
        made += parts
    return ListValue(made)


def _distinct(value: Any) -> ListValue:
    made: list[Any] = []
    for item in _list(value):
        if not any(equal(item, each) for each in made):
            made.append(item)
    return ListValue(made)


def _sort(value: Any) -> ListValue:
    from functools import cmp_to_key

    return ListValue(sorted(_list(value), key=cmp_to_key(lambda left, right: -1 if _less(left, right) else int(_less(right, left)))))


def _range(count: Any) -> ListValue:
    if not isinstance(count, int) or count > 1_000_000:
        raise CelError("lists.range() size exceeds limit")
    return ListValue(range(count))


def _encode(value: Any) -> str:
    if not isinstance(value, bytes):
        raise no_such_overload()
    return base64.b64encode(value).decode()


def _decode(value: Any) -> bytes:
    if not isinstance(value, str):
        raise no_such_overload()
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise CelError("illegal base64 data at input byte 0") from None


def _ends(value: Any, index: int) -> Any:
    from kctl.kube_apiserver.cel.values import NONE, Optional

    values = _list(value)
    return Optional(values[index]) if len(values) else NONE


GLOBAL: Functions = {}
METHODS: Functions = {
    "isSorted": Function(_is_sorted, items),
    "sum": Function(_sum, items),
    "min": Function(lambda value: _extreme(value, least=True), items),
    "max": Function(lambda value: _extreme(value, least=False), items),
    "slice": Function(_slice, items),
    "flatten": Function(_flatten, items),
    "distinct": Function(_distinct, lambda value: product(value, value)),
    "sort": Function(_sort, lambda value: product(value, value)),
    "first": Function(lambda value: _ends(value, 0)),
    "last": Function(lambda value: _ends(value, -1)),
}
QUALIFIED: Functions = {
    "sets.contains": Function(_contains_all, product),
    "sets.equivalent": Function(lambda value, other: _contains_all(value, other) and _contains_all(other, value), product),
    "sets.intersects": Function(_intersects, product),
    "math.greatest": Function(_greatest),
    "math.least": Function(_least),
    "math.ceil": Function(_rounded(math.ceil)),
    "math.floor": Function(_rounded(math.floor)),
    "math.trunc": Function(_rounded(math.trunc)),
    "math.round": Function(_rounded(lambda value: math.copysign(math.floor(abs(value) + 0.5), value))),
    "math.abs": Function(_absolute),
    "math.isNaN": Function(lambda value: math.isnan(value)),
    "math.isInf": Function(lambda value: math.isinf(value)),
    "math.isFinite": Function(lambda value: math.isfinite(value)),
    "lists.range": Function(_range, lambda count: max(1, int(count)) if isinstance(count, int) else 1),
    "base64.encode": Function(_encode, traverse),
    "base64.decode": Function(_decode, traverse),
}
