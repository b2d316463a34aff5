"""The formats a schema may ask of a text (kube-openapi's strfmt registry).

A format that is not listed here is ignored, as upstream strips it from the schema.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date
from email.utils import parseaddr
from functools import lru_cache
from urllib.parse import urlsplit

from kctl.apimachinery import names, quantity

_HEX = "[0-9a-fA-F]"
_DATE_TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2})[tT ]\d{2}:[0-5]\d:[0-5]\d(?:[.,]\d+)?(?:[zZ]|[+-]\d{2}:?\d{2})?")
_SCALA_DURATION = re.compile(
    r"\s*(\d+)\s*(ns|nano|nanos|nanosecond|nanoseconds|us|µs|μs|micro|micros|microsecond|microseconds|ms|milli|millis|millisecond|"
    r"milliseconds|s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hour|hours|d|day|days|w|wk|week|weeks)\s*"
)
_GO_DURATION = re.compile(r"[-+]?(?:0|(?:(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:ns|us|µs|μs|ms|s|m|h))+)")
_HOSTNAME = re.compile(r"(?!-)[a-zA-Z0-9_\-\u0080-\U0010ffff]{1,63}(?<!-)")
_DIGITS = re.compile(r"[^0-9]+")
_CARD = re.compile(
    r"4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|"
    r"(?:2131|1800|35\d{3})\d{11}"
)


def _pattern(text: str) -> Callable[[str], bool]:
    compiled = re.compile(text, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def _date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return len(value) == 10


def _date_time(value: str) -> bool:
    found = _DATE_TIME.fullmatch(value)
    if found is None:
        return False
    hour, month, day = int(value[11:13]), int(found[2]), int(found[3])
    return hour < 24 and 1 <= month <= 12 and 1 <= day <= 31


def _byte(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _email(value: str) -> bool:
    address = parseaddr(value)[1]
    local, at, host = address.rpartition("@")
    return bool(at and local and host) and " " not in address


def _uri(value: str) -> bool:
    """net/url.ParseRequestURI: an absolute URI or an absolute path."""
    if not value or any(letter < "!" or letter == "\x7f" for letter in value):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.scheme) or value.startswith("/")


def _hostname(value: str) -> bool:
    host = value.removesuffix(".")
    if not host or len(value) > 255:
        return False
    return all(_HOSTNAME.fullmatch(part) is not None for part in host.split("."))


def _ip(version: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        found = names.parse_ip(value)
        return found is not None and (found.version == version if ":" in value or version == 4 else False)

    return check


def _mac(value: str) -> bool:
    for separator, width in ((":", 2), ("-", 2), (".", 4)):
        parts = value.split(separator)
        if len(parts) > 1:
            sizes = {2: (6, 8, 20), 4: (3, 4, 10)}[width]
            return len(parts) in sizes and all(re.fullmatch(f"{_HEX}{{{width}}}", part) for part in parts)
    return False


def _isbn10(value: str) -> bool:
    digits = re.sub(r"[\s-]", "", value)
    if not re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        return False
    total = sum((10 if letter == "X" else int(letter)) * (position + 1) for position, letter in enumerate(digits))
    return total % 11 == 0


def _isbn13(value: str) -> bool:
    digits = re.sub(r"[\s-]", "", value)
    if not re.fullmatch(r"[0-9]{13}", digits):
        return False
    return sum(int(letter) * (3 if position % 2 else 1) for position, letter in enumerate(digits)) % 10 == 0


def _credit_card(value: str) -> bool:
    digits = _DIGITS.sub("", value)
    if _CARD.fullmatch(digits) is None:
        return False
    total = 0
    for position, letter in enumerate(reversed(digits)):
        number = int(letter) * (2 if position % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _duration(value: str) -> bool:
    return _GO_DURATION.fullmatch(value) is not None or _SCALA_DURATION.fullmatch(value) is not None


def _rgb(value: str) -> bool:
    number = r"(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])"
    return re.fullmatch(rf"rgb\(\s*{number}\s*,\s*{number}\s*,\s*{number}\s*\)", value) is not None


def _uuid(version: str, variant: str = _HEX) -> Callable[[str], bool]:
    third = f"{version}{_HEX}{{3}}" if version else f"{_HEX}{{4}}"
    fourth = f"{variant}{_HEX}{{3}}"
    return _pattern(f"{_HEX}{{8}}-?{_HEX}{{4}}-?{third}-?{fourth}-?{_HEX}{{12}}")


FORMATS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern(f"{_HEX}{{24}}"),
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "cidr": lambda value: names.parse_cidr(value) is not None,
    "mac": _mac,
    "uuid": _uuid(""),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4", "[89abAB]"),
    "uuid5": _uuid("5", "[89abAB]"),
    "isbn": lambda value: _isbn10(value) or _isbn13(value),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "ssn": _pattern(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _pattern(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _rgb,
    "byte": _byte,
    "password": lambda value: True,
    "date": _date,
    "duration": _duration,
    "datetime": _date_time,
    "quantity": quantity.valid,
    "k8sshortname": lambda value: not names.dns1123_label(value),
    "k8slongname": lambda value: not names.dns1123_subdomain(value),
}
_OF_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}


@lru_cache(maxsize=1024)
def effective(kind: str, given: str) -> str:
    """The format of a schema of this type ('' = any) that counts; '' where upstream does not know it for the type."""
    if kind in ("", "string"):
        return given if given.replace("-", "") in FORMATS else ""
    return given if given in _OF_NUMBERS.get(kind, ()) else ""


def matches(given: str, value: str) -> bool:
    """Whether a text has a format that `effective` let pass."""
    check = FORMATS.get(given.replace("-", ""))
    return check is None or check(value)
