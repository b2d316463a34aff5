"""awk's values: numbers, strings, and input that looks like a number, which is both. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import CAPTURE_BYTES
from controllers.kubelet.commands.patterns import Expression, expression

_NUMBER = re.compile(r"[ \t\n\r\f\v]*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_DIRECTIVE = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?([a-zA-Z%])")
_WIDEST = 10_000


class Numeric(str):
    """Input that looks like a number: it compares as one."""

    __slots__ = ()


class _Unset:
    """A variable that was never set: 0 and '' at the same time."""

    __slots__ = ()


UNSET = _Unset()
Value = float | str | _Unset
Array = dict[str, "Value"]


def number(value: Value) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, _Unset):
        return 0.0
    found = _NUMBER.match(value)
    return float(found.group(1)) if found else 0.0


def looks_numeric(text: str) -> bool:
    found = _NUMBER.match(text)
    return found is not None and not text[found.end() :].strip()


def given(text: str) -> str:
    """A value that came from outside."""
    return Numeric(text) if looks_numeric(text) else text


def string(value: Value, form: str = "%.6g") -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, _Unset):
        return ""
    if math.isinf(value) or math.isnan(value):
        return ("-" if value < 0 else "") + ("inf" if math.isinf(value) else "nan")
    if value == int(value) and abs(value) < 1e16:
        return str(int(value))
    return formatted(form, [value])


def truth(value: Value) -> bool:
    if isinstance(value, float):
        return value != 0
    if isinstance(value, Numeric):
        return number(value) != 0
    return isinstance(value, str) and value != ""


def compared(left: Value, right: Value, form: str) -> int:
    """-1, 0 or 1: as numbers where both are, else as strings."""
    numeric = (float, Numeric, _Unset)
    if isinstance(left, numeric) and isinstance(right, numeric):
        first, second = number(left), number(right)
        return (first > second) - (first < second)
    one, other = string(left, form), string(right, form)
    return (one > other) - (one < other)


def formatted(form: str, values: list[Value], convert: str = "%.6g") -> str:
    """printf. Missing values are unset."""
    left = list(values)

    def taken() -> Value:
        return left.pop(0) if left else UNSET

    def directive(found: re.Match[str]) -> str:
        flags, width, precision, kind = found.groups()
        if kind == "%":
            return "%"
        if width == "*":
            width = str(int(number(taken())))
        if precision == "*":
            precision = str(int(number(taken())))
        if any(abs(int(each[:9])) > _WIDEST for each in (width, precision) if each and each not in "-"):
            raise NotInterpreted("printf of that width")
        spec = f"%{flags}{width or ''}{'.' + precision if precision is not None else ''}"
        value = taken()
        if kind == "s":
            return (spec + "s") % string(value, convert)
        if kind == "c":
            text = chr(int(number(value)) & 255) if isinstance(value, float) else string(value)[:1]
            return (spec + "s") % text
        if kind in "diouxXeEfFgGaA":
            return _of_number(spec, kind, number(value))
        raise NotInterpreted(f'awk\'s printf "%{kind}"')

    return _DIRECTIVE.sub(directive, form)


def _of_number(spec: str, kind: str, value: float) -> str:
    if math.isinf(value) or math.isnan(value):
        return (re.sub(r"\.\d*|0", "", spec) + "s") % string(value)
    if kind in "aA":
        raise NotInterpreted(f'awk\'s printf "%{kind}"')
    if kind in "diu":
        return (spec + "d") % int(value)
    if kind in "oxX":
        return (spec + kind) % (int(value) & 0xFFFFFFFFFFFFFFFF if value < 0 else int(value))
    return (spec + kind) % value


def bounded(text: str) -> str:
    if len(text) > CAPTURE_BYTES:
        raise NotInterpreted("an awk program with strings that long")
    return text


# ---- records and fields


@lru_cache(maxsize=256)
def regex(source: str) -> Expression:
    return expression(source, extended=True)


@lru_cache(maxsize=64)
def splitter(separator: str) -> Callable[[str], list[str]]:
    """How FS takes a record apart."""
    if separator == " ":
        return lambda text: text.split()
    if separator == "":
        return list
    if len(separator) == 1 and separator != "\\":
        return lambda text: text.split(separator) if text else []
    pattern = regex(separator)

    def split(text: str) -> list[str]:
        parts: list[str] = []
        at = 0
        if not text:
            return parts
        while (found := pattern.search(text, at)) is not None:
            if found.end() == found.start():
                break
            parts.append(text[at : found.start()])
            at = found.end()
        return [*parts, text[at:]]

    return split


def records(text: str, separator: str) -> list[str]:
    if separator == "\n":
        lines = text.split("\n")
        return lines[:-1] if lines[-1] == "" else lines
    if separator == "":
        return [each for each in re.split(r"\n\n+", text.strip("\n")) if each]
    if len(separator) == 1:
        parts = text.split(separator)
    else:
        parts = splitter(separator)(text)
    if parts and parts[-1] in ("", "\n") and len(parts) > 1:
        parts.pop()
    return parts if text else []
