"""Leaf values of the API: quantities, times, byte strings, int-or-string. Each returns the text Go would write.

`Malformed` carries Go's message; `WrongType` says that the JSON value is of the wrong type (its message needs the path,
which diagnose.py finds).
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from typing import Any

from kctl.apimachinery import quantity as quantities
from kctl.apimachinery.bounds import cache_short


class WrongType(Exception):
    """The JSON value cannot become the Go type."""


class Malformed(Exception):
    """Text of the right JSON type that its Go type refuses; the message is Go's."""


def _canonical(text: str) -> str:
    try:
        return quantities.canonical(text)
    except quantities.QuantityError as error:
        raise Malformed(str(error)) from None


def quantity(value: Any) -> str:
    """Quantity.UnmarshalJSON takes a string or a bare number."""
    if type(value) is str:
        return _canonical(value)
    if type(value) is int or type(value) is float:
        return _canonical(str(value))
    raise Malformed(quantities.WRONG)


_TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d++)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
TIME_LAYOUT = "2006-01-02T15:04:05Z07:00"
MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"


@cache_short(maxsize=8192)
def _moment(text: str, layout: str) -> datetime:
    moment = _TIME.fullmatch(text)
    if moment is None:
        raise Malformed(_time_error(text, layout))
    try:
        return datetime.fromisoformat(re.sub(r"[.,](\d{6})\d+", r".\1", text)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed(f'parsing time "{text}": day out of range') from None


_LAYOUT_PARTS = (
    (r"\d{4}", "2006"),
    ("-", "-"),
    (r"\d\d", "01"),
    ("-", "-"),
    (r"\d\d", "02"),
    ("T", "T"),
    (r"\d\d", "15"),
    (":", ":"),
    (r"\d\d", "04"),
    (":", ":"),
    (r"\d\d", "05"),
    (r"(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)", "Z07:00"),
)


def _time_error(text: str, layout: str) -> str:
    """time.Parse's message: what is left, and the layout element it should have matched."""
    rest = text
    for pattern, element in _LAYOUT_PARTS:
        matched = re.match(pattern, rest)
        if matched is None:
            return f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{element}"'
        rest = rest[matched.end() :]
    if rest:
        return f'parsing time "{text}": extra text: "{rest}"'
    return f'parsing time "{text}": month out of range'


def time(value: Any) -> str:
    """metav1.Time: whole seconds, UTC."""
    if type(value) is not str:
        raise WrongType
    return _time_text(value)


@cache_short(maxsize=8192)
def _time_text(value: str) -> str:
    return _written(_moment(value, TIME_LAYOUT))


def _written(moment: datetime, fraction: str = "") -> str:
    """strftime would leave out the zeros of a year before 1000."""
    return f"{moment.year:04}-" + moment.strftime(f"%m-%dT%H:%M:%S{fraction}Z")


def micro_time(value: Any) -> str:
    """metav1.MicroTime: six digits, UTC."""
    if type(value) is not str:
        raise WrongType
    return _written(_moment(value, MICRO_LAYOUT), ".%f")


_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def base64_text(value: Any) -> str:
    """[]byte: standard base64, checked; line breaks inside are dropped as Go does."""
    if type(value) is not str:
        raise WrongType
    text = value.replace("\n", "").replace("\r", "") if "\n" in value or "\r" in value else value
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise Malformed(f"illegal base64 data at input byte {_base64_fault(value)}") from None
    return text


def _base64_fault(text: str) -> int:
    """The offset encoding/base64 reports: of the wrong character, or of the truncated group's start."""
    group = 0
    for offset, character in enumerate(text):
        if character in "\r\n":
            continue
        if character in _BASE64:
            group = (group + 1) % 4
            continue
        if character == "=" and group >= 2:
            tail = text[offset:].replace("\n", "").replace("\r", "")
            if group == 2 and not tail.startswith("=="):
                return len(text) if tail == "=" else offset + 1
            return offset + (1 if group == 3 else 2)
        return offset
    return len(text) - group


INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)


def int32(value: Any) -> int:
    if type(value) is not int or not -2147483648 <= value <= 2147483647:
        raise WrongType
    return value


def int64(value: Any) -> int:
    if type(value) is not int or not -9223372036854775808 <= value <= 9223372036854775807:
        raise WrongType
    return value


def boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise WrongType
    return value


def number(value: Any) -> float | int:
    if type(value) is not int and type(value) is not float:
        raise WrongType
    return value


def string(value: Any) -> str:
    if type(value) is not str:
        raise WrongType
    return value


def int_or_string(value: Any) -> int | str:
    if type(value) is str:
        return value
    return int32(value)


def raw(value: Any) -> Any:
    """RawExtension, JSON, FieldsV1: kept as it is."""
    return value
