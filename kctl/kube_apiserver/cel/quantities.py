"""Kubernetes' quantities and semantic versions as values of expressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import total_ordering
from typing import Any

from kctl.apimachinery import quantity as amounts
from kctl.kube_apiserver.cel.function import Function, Functions, traverse
from kctl.kube_apiserver.cel.values import INT_MAX, INT_MIN, CelError, no_such_overload


@total_ordering
class Quantity:
    cel_type = "kubernetes.Quantity"
    __slots__ = ("amount",)

    def __init__(self, amount: Fraction) -> None:
        self.amount = amount

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.amount == other.amount

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.amount < other.amount

    def __hash__(self) -> int:
        return hash(self.amount)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.amount + other.amount)


def _quantity(text: Any) -> Quantity:
    if not isinstance(text, str):
        raise no_such_overload()
    if not amounts.valid(text):
        raise CelError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    return Quantity(amounts.parse(text))


def _of(value: Any) -> Quantity:
    if not isinstance(value, Quantity):
        raise no_such_overload()
    return value


def _with(change: Callable[[Fraction, Fraction], Fraction]) -> Callable[[Any, Any], Quantity]:
    def apply(left: Any, right: Any) -> Quantity:
        other = Fraction(right) if isinstance(right, int) and not isinstance(right, bool) else _of(right).amount
        return Quantity(change(_of(left).amount, other))

    return apply


def _as_integer(value: Any) -> int:
    amount = _of(value).amount
    if amount.denominator != 1 or not INT_MIN <= amount <= INT_MAX:
        raise CelError("cannot convert value to integer")
    return int(amount)


def _compare(left: Any, right: Any) -> int:
    if isinstance(left, Version):
        if not isinstance(right, Version):
            raise no_such_overload()
        return (left > right) - (left < right)
    one, other = _of(left), _of(right)
    return (one > other) - (one < other)


def _is_after(left: Any, right: Any) -> bool:
    return _compare(left, right) > 0


_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)


@total_ordering
class Version:
    cel_type = "kubernetes.Semver"
    __slots__ = ("major", "minor", "patch", "pre")

    def __init__(self, found: re.Match[str]) -> None:
        self.major, self.minor, self.patch = (int(found.group(index)) for index in (1, 2, 3))
        self.pre = found.group(4) or ""

    def _key(self) -> tuple[Any, ...]:
        parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre.split(".")] if self.pre else []
        return (self.major, self.minor, self.patch, not self.pre, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash((self.major, self.minor, self.patch, self.pre))


def _normalized(text: str) -> str:
    text = text.removeprefix("v")
    core, mark, rest = re.match(r"([0-9.]*)([-+]?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    parts = [part.lstrip("0") or "0" for part in core.split(".")]
    while len(parts) < 3:
        parts.append("0")
    return ".".join(parts) + mark + rest


def _semver(text: Any, normalize: Any = False) -> Version:
    if not isinstance(text, str):
        raise no_such_overload()
    found = _SEMVER.fullmatch(_normalized(text) if normalize is True else text)
    if found is None:
        raise CelError("Invalid character(s) found in version number" if text.count(".") >= 2 else "No Major.Minor.Patch elements found")
    return Version(found)


def _is_semver(text: Any, normalize: Any = False) -> bool:
    try:
        _semver(text, normalize)
    except CelError:
        return False
    return True


def _version(read: Callable[[Version], int]) -> Callable[[Any], int]:
    def apply(value: Any) -> int:
        if not isinstance(value, Version):
            raise no_such_overload()
        return read(value)

    return apply


GLOBAL: Functions = {
    "quantity": Function(_quantity, traverse),
    "isQuantity": Function(lambda text: isinstance(text, str) and amounts.valid(text), traverse),
    "semver": Function(_semver, lambda text, *_: traverse(text)),
    "isSemver": Function(_is_semver, lambda text, *_: traverse(text)),
}
METHODS: Functions = {
    "add": Function(_with(lambda left, right: left + right)),
    "sub": Function(_with(lambda left, right: left - right)),
    "sign": Function(lambda value: (_of(value).amount > 0) - (_of(value).amount < 0)),
    "isInteger": Function(lambda value: _of(value).amount.denominator == 1 and INT_MIN <= _of(value).amount <= INT_MAX),
    "asInteger": Function(_as_integer),
    "asApproximateFloat": Function(lambda value: float(_of(value).amount)),
    "compareTo": Function(_compare),
    "isGreaterThan": Function(_is_after),
    "isLessThan": Function(lambda left, right: _is_after(right, left)),
    "major": Function(_version(lambda value: value.major)),
    "minor": Function(_version(lambda value: value.minor)),
    "patch": Function(_version(lambda value: value.patch)),
}
QUALIFIED: Functions = {}
