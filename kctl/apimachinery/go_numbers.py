"""Numbers in text as Go's strconv reads them: ASCII digits, 64 bits, and its words for everything else."""

from __future__ import annotations

import re

_INTEGER = re.compile(r"[+-]?[0-9]+")
_LONGEST = 20
"""More digits than these (zeros in front left out) are out of any range; Python would refuse thousands of them with its own words."""


class GoNumberError(ValueError):
    """The message is strconv's, as `strconv.ParseInt: parsing "x": invalid syntax`."""


def parse_int(text: str, function: str = "ParseInt", low: int = -(2**63), high: int = 2**63 - 1) -> int:
    """Raises GoNumberError. `function` is the name of Go's in the message (Atoi, ParseInt, ParseUint)."""
    if _INTEGER.fullmatch(text) is None or (function == "ParseUint" and text[0] in "+-"):
        raise GoNumberError(f'strconv.{function}: parsing "{text}": invalid syntax')
    digits = text.lstrip("+-").lstrip("0") or "0"
    number = int(digits) if len(digits) <= _LONGEST else high + 1
    number = -number if text[0] == "-" else number
    if not low <= number <= high:
        raise GoNumberError(f'strconv.{function}: parsing "{text}": value out of range')
    return number


def parse_uint(text: str) -> int:
    return parse_int(text, "ParseUint", 0, 2**64 - 1)


def saturated(text: str) -> int | None:
    """The number cut to 64 bits; None for what is none. For checks that only compare it with something smaller."""
    if _INTEGER.fullmatch(text) is None:
        return None
    digits = text.lstrip("+-").lstrip("0") or "0"
    number = int(digits) if len(digits) <= _LONGEST else 2**63
    return max(-number, -(2**63)) if text[0] == "-" else min(number, 2**63 - 1)
