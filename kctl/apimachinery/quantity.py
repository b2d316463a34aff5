"""Resource quantities: "100m", "1.5Gi", "1e3". Exact (integers of nano units), canonical output as Go prints it.

However many digits or whatever exponent is given, the cost is that of reading the text: what is larger than any machine is kept as text.

Source of the rules: k8s.io/apimachinery/pkg/api/resource.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, NamedTuple

from kctl.apimachinery import go_numbers
from kctl.apimachinery.bounds import cache_short

_SHAPE = re.compile(r"([+-]?)0*+([0-9]*+)(?:\.([0-9]*+))?+([eEinumkKMGTP]*+[-+]?+[0-9]*+)")
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_EXPONENT_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_LARGEST = 2**63 - 1
_HUGE = 60
"""Numbers of more digits are told apart by size only, not computed with."""

WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
WRONG_SUFFIX = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """Text that is no quantity; the message is upstream's."""


class _Parsed(NamedTuple):
    value: Fraction
    form: str
    """DecimalSI, BinarySI or DecimalExponent."""
    text: str
    """Canonical, as Go writes it."""


@cache_short(maxsize=4096)
def _parse(text: str) -> _Parsed:
    parts = _SHAPE.fullmatch(text)
    if parts is None or not text:
        raise QuantityError(WRONG)
    sign, whole_part, fraction, suffix = parts.group(1), parts.group(2), parts.group(3) or "", parts.group(4)
    if suffix in _BINARY:
        value = _binary(whole_part, fraction, _BINARY[suffix])
        value = -value if sign == "-" else value
        return _Parsed(value, "BinarySI", format_quantity(value, "BinarySI"))
    exponent = _DECIMAL.get(suffix)
    form = "DecimalSI" if exponent is not None else "DecimalExponent"
    if exponent is None:
        exponent = _exponent(suffix)
    return _decimal(sign, whole_part + fraction, exponent - len(fraction), form)


def _exponent(suffix: str) -> int:
    """The number after e or E; like upstream's, it has 32 bits and wraps."""
    if len(suffix) < 2 or suffix[0] not in "eE":
        raise QuantityError(WRONG_SUFFIX)
    try:
        number = go_numbers.parse_int(suffix[1:])
    except go_numbers.GoNumberError:
        raise QuantityError(WRONG_SUFFIX) from None
    return (number + 2**31) % 2**32 - 2**31


def _binary(whole_part: str, fraction: str, unit: int) -> Fraction:
    """Never more than 64 bits, never finer than nano: rounded up, for which one digit stands for all far behind the point."""
    if len(whole_part) > 19:
        return Fraction(_LARGEST)
    if len(fraction) > 40:
        fraction = fraction[:40] + ("1" if fraction[40:].strip("0") else "")
    nano = Fraction(int((whole_part + fraction) or "0"), 10 ** len(fraction)) * unit * 10**9
    return min(Fraction(-(-nano.numerator // nano.denominator), 10**9), Fraction(_LARGEST))


def _decimal(sign: str, digits: str, scale: int, form: str) -> _Parsed:
    """digits times ten to the power of scale, however large either is; finer than nano is rounded up."""
    digits = digits.lstrip("0")
    if not digits:
        return _Parsed(Fraction(0), form, "0")
    digits, scale = _without_zeros(digits, scale)
    if scale < -9:
        digits, scale = _without_zeros(_next(digits[: max(len(digits) - (-9 - scale), 0)]), -9)
    size = len(digits) + scale
    if size <= _HUGE:
        value = Fraction(int(digits) * 10**scale) if scale >= 0 else Fraction(int(digits), 10**-scale)
    else:
        value = Fraction(10**_HUGE) * size + int(digits[:18].ljust(18, "0"))
    return _Parsed(-value if sign == "-" else value, form, ("-" if sign == "-" else "") + _decimal_text(digits, scale, form))


def _without_zeros(digits: str, scale: int) -> tuple[str, int]:
    kept = digits.rstrip("0")
    return kept, scale + len(digits) - len(kept)


def _next(digits: str) -> str:
    """The decimal number after this one ('' is zero)."""
    kept = digits.rstrip("9")
    carried = kept[:-1] + chr(ord(kept[-1]) + 1) if kept else "1"
    return carried + "0" * (len(digits) - len(kept))


def _decimal_text(digits: str, scale: int, form: str) -> str:
    steps = scale % 3
    digits, scale = digits + "0" * steps, scale - steps
    if form == "DecimalExponent":
        return f"{digits}e{scale}" if scale else digits
    if scale > 18:
        digits, scale = digits + "0" * (scale - 18), 18
    return digits + _EXPONENT_SUFFIX[scale]


def parse(value: Any) -> Fraction:
    """The exact number of a quantity given as text or as a JSON number. Raises QuantityError."""
    return _parse(value if isinstance(value, str) else str(value)).value


def valid(value: Any) -> bool:
    try:
        parse(value)
    except QuantityError:
        return False
    return True


def milli(value: Any) -> int:
    """Thousandths, rounded up (Quantity.MilliValue): "100m" is 100, "1" is 1000. An int64, saturated."""
    return _scaled(value if isinstance(value, str) else str(value), 1000)


def whole(value: Any) -> int:
    """Whole units, rounded up (Quantity.Value): "1Ki" is 1024, "100m" is 1. An int64, saturated."""
    return _scaled(value if isinstance(value, str) else str(value), 1)


@cache_short(maxsize=8192)
def _scaled(text: str, by: int) -> int:
    exact = _parse(text).value * by
    return _int64(-(-exact.numerator // exact.denominator))


def _int64(number: int) -> int:
    return max(-_LARGEST - 1, min(number, _LARGEST))


def canonical(value: Any) -> str:
    """The text Go writes: "0.1" is "100m", "1024Mi" is "1Gi", "1000m" is "1". Raises QuantityError."""
    return _parse(value if isinstance(value, str) else str(value)).text


def format_quantity(value: Fraction | int, form: str = "DecimalSI") -> str:
    """Canonical text of a number in one of the three formats."""
    exact = Fraction(value)
    if exact == 0:
        return "0"
    sign, exact = ("-", -exact) if exact < 0 else ("", exact)
    if form == "BinarySI" and (exact < 1024 or exact.denominator != 1):
        form = "DecimalSI"  # as Go: small or fractional binary quantities print in decimal
    if form == "BinarySI":
        number = exact.numerator
        suffix = ""
        for name in _BINARY:
            if number % 1024:
                break
            number //= 1024
            suffix = name
        return f"{sign}{number}{suffix}"
    nano = exact * 10**9
    return sign + _decimal_text(*_without_zeros(str(nano.numerator // nano.denominator), -9), form)


def add(*values: Any) -> str:
    """The canonical sum; the format is the first non-zero addend's."""
    total, form = Fraction(0), ""
    for value in values:
        exact, this, _ = _parse(value if isinstance(value, str) else str(value))
        total += exact
        form = form or (this if exact else "")
    return format_quantity(total, form or "DecimalSI")


def subtract(value: Any, other: Any) -> str:
    """The canonical difference, in the format of `value` (of `other` where that is zero)."""
    first, second = (_parse(each if isinstance(each, str) else str(each)) for each in (value, other))
    return format_quantity(first.value - second.value, first.form if first.value else second.form)
