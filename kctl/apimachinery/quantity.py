"""Resource quantities: "100m", "1.5Gi", "1e3". Exact (integers of nano units), canonical output as Go prints it.

Source of the rules: k8s.io/apimachinery/pkg/api/resource.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

_PATTERN = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
}
_EXPONENT_SUFFIX = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}

WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
WRONG_SUFFIX = "unable to parse quantity's suffix"
WRONG_NUMBER = "unable to parse numeric part of quantity"


class QuantityError(ValueError):
    """Text that is no quantity; the message is upstream's."""


@lru_cache(maxsize=4096)
def _parse(text: str) -> tuple[Fraction, str]:
    """(value, format), format one of DecimalSI, BinarySI, DecimalExponent."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise QuantityError(_why(text))
    sign, number, suffix = found.group(1), found.group(2), found.group(3) or ""
    value = Fraction(number if not number.startswith(".") else "0" + number)
    form = "DecimalSI"
    if suffix in _BINARY:
        value *= _BINARY[suffix]
        form = "BinarySI"
    elif suffix in _DECIMAL:
        value *= _DECIMAL[suffix]
    else:
        value *= Fraction(10) ** int(suffix[1:])
        form = "DecimalExponent"
    nano = value * 10**9
    if nano.denominator != 1:  # finer than nano is rounded up
        value = Fraction(-(-nano.numerator // nano.denominator), 10**9)
    return (-value if sign == "-" else value), form


def _why(text: str) -> str:
    if not text or not re.match(r"[+-]?[0-9.]", text):
        return WRONG
    number = re.match(r"[+-]?[0-9.]*", text)
    assert number is not None
    rest = text[number.end() :]
    if not re.fullmatch(r"[eEinumkKMGTP]*[-+]?[0-9]*", rest):
        return WRONG
    if number.group().count(".") > 1 or number.group().strip("+-") in ("", "."):
        return WRONG_NUMBER
    return WRONG_SUFFIX


def parse(value: Any) -> Fraction:
    """The exact number of a quantity given as text or as a JSON number. Raises QuantityError."""
    return _parse(value if isinstance(value, str) else str(value))[0]


def valid(value: Any) -> bool:
    try:
        parse(value)
    except QuantityError:
        return False
    return True


@lru_cache(maxsize=4096)
def milli(value: Any) -> int:
    """Thousandths, rounded up (Quantity.MilliValue): "100m" is 100, "1" is 1000."""
    scaled = parse(value) * 1000
    return -(-scaled.numerator // scaled.denominator)


@lru_cache(maxsize=4096)
def whole(value: Any) -> int:
    """Whole units, rounded up (Quantity.Value): "1Ki" is 1024, "100m" is 1."""
    exact = parse(value)
    return -(-exact.numerator // exact.denominator)


def canonical(value: Any) -> str:
    """The text Go writes: "0.1" is "100m", "1024Mi" is "1Gi", "1000m" is "1". Raises QuantityError."""
    text = value if isinstance(value, str) else str(value)
    exact, form = _parse(text)
    return format_quantity(exact, form)


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
    mantissa, exponent = exact * 10**9, -9
    number = mantissa.numerator // mantissa.denominator
    while exponent < 18 and number % 1000 == 0:
        number //= 1000
        exponent += 3
    if form == "DecimalExponent":
        return f"{sign}{number}" + (f"e{exponent}" if exponent else "")
    return f"{sign}{number}{_EXPONENT_SUFFIX[exponent]}"


def add(*values: Any) -> str:
    """The canonical sum; the format is the first non-zero addend's."""
    total, form = Fraction(0), ""
    for value in values:
        exact, this = _parse(value if isinstance(value, str) else str(value))
        total += exact
        form = form or (this if exact else "")
    return format_quantity(total, form or "DecimalSI")
