"""The settings `cpu-usage`, `memory-usage` and `cpu-load`: an amount, or amounts one after the other. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from kctl.apimachinery import quantity, times


class Amount(NamedTuple):
    """An amount, or a share of the request; drawn evenly from low to high."""

    low: Fraction
    high: Fraction
    of_request: bool


@dataclass(frozen=True, slots=True)
class Course:
    """Amounts with how many seconds after the start of the container each begins."""

    steps: tuple[tuple[float, Amount], ...]

    def at(self, seconds: float) -> Amount:
        found = self.steps[0][1]
        for begins, amount in self.steps:
            if begins <= seconds:
                found = amount
        return found


def parse_course(text: str) -> Course:
    """`100m`, `50%`, `100m-300m`, or steps `100m,1m:400m,3m:50m`. Raises ValueError."""
    steps = []
    for number, part in enumerate(text.split(",")):
        begins, colon, amount = part.strip().rpartition(":")
        if bool(colon) != bool(number):
            raise ValueError("want an amount, then steps as 1m:400m")
        steps.append((times.parse_duration(begins.strip()) if colon else 0.0, _amount(amount.strip())))
    if [begins for begins, _ in steps] != sorted(begins for begins, _ in steps):
        raise ValueError("steps follow one another in time")
    return Course(tuple(steps))


def _amount(text: str) -> Amount:
    low, dash, high = text.partition("-")
    of_request = low.endswith("%")
    if dash and high.endswith("%") != of_request:
        raise ValueError("both ends are shares, or neither is")
    first = _number(low)
    last = _number(high) if dash else first
    if last < first:
        raise ValueError("the range ends before it begins")
    return Amount(first, last, of_request)


def _number(text: str) -> Fraction:
    if text.endswith("%"):
        digits = text[:-1]
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
            raise ValueError("want a share as 50%")
        return Fraction(int(digits), 100)
    if not quantity.valid(text) or text.startswith("-"):
        raise ValueError("want a quantity or a share of the request")
    return quantity.parse(text)
