"""One YAML document into JSON data, from libyaml's events: no recursion, aliases counted, nesting bounded.

The dialect is Go's (see yaml.py). An alias shares the value it stands for, so it costs nothing here; but whoever walks the value
pays for every copy, so a document made mostly of aliases is refused by go-yaml's own rule and words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import yaml

from kctl.apimachinery.bounds import EXCEEDED, MAX_DEPTH


class YamlError(ValueError):
    """Text that is not YAML or has no JSON form; the message is Go's, without `error converting YAML to JSON: `."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


TOO_DEEP = f"yaml: {EXCEEDED} of {MAX_DEPTH}"
_CONSTANTS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True)
_CONSTANTS |= dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False)
_CONSTANTS |= dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_CONSTANTS |= dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf)
_CONSTANTS |= dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([0-9]|[1-9][0-9]+))")
_LONGEST_INTEGER = 400
"""More digits are no number that JSON could carry: the largest float has 309."""


def resolve(text: str) -> Any:
    """The value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    plain = text.replace("_", "")
    integer = _INTEGER.fullmatch(plain) if len(plain) <= _LONGEST_INTEGER else None
    if integer is not None:
        sign, hexadecimal, binary, octal, decimal = integer.groups()
        if decimal is not None:
            value = int(decimal)
        elif hexadecimal is not None:
            value = int(hexadecimal, 16)
        else:
            value = int(binary, 2) if binary is not None else int(octal, 8)
        value = -value if sign == "-" else value
        if -(2**63) <= value < 2**64:
            return value
        if decimal is None:
            return text
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        return text if math.isinf(number) else _number(number)
    return text


def _number(value: float) -> int | float:
    """A float as it comes out of Go's JSON: 1e3 is 1000."""
    return int(value) if value.is_integer() and abs(value) < 2**63 else value


def go_float(value: float) -> str:
    """strconv.FormatFloat(value, 'g', -1, 64), as the YAML encoder prints numbers: 1.5, 1e-07, 1.5e+06."""
    mantissa, _, exponent = f"{value:e}".partition("e")
    if -4 <= int(exponent) < 6:
        text = repr(value)
        return text.removesuffix(".0")
    digits = repr(value).partition("e")[0].replace(".", "").lstrip("-0")
    digits = digits.rstrip("0") or "0"
    sign = "-" if mantissa.startswith("-") else ""
    point = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}e{exponent[0]}{exponent[1:].zfill(2)}"


_RESOLVED = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))
_MISSING: Any = object()
_MANY = 400_000
"""Nodes up to which 99 in 100 may come from aliases; from ten times as many on it is 10 in 100."""

_MOST_LETTERS = 3 * 1024 * 1024
"""What aliases may add to a document, which go-yaml does not count: no more than a request may have."""


class _Frame:
    """A list or a map that has begun."""

    __slots__ = ("anchor", "key", "key_line", "letters", "merged", "nodes", "value")

    def __init__(self, value: Any, anchor: str | None, nodes: int, letters: int) -> None:
        """`nodes` and `letters`: how many there were before it."""
        self.value = value
        self.anchor = anchor
        self.nodes = nodes
        self.letters = letters
        self.key: Any = _MISSING
        self.key_line = 0
        self.merged: dict[str, Any] | None = None


class _Merge:
    """The key `<<`."""


class DocumentBuilder:
    """Builds the first document of a stream of events. `duplicates` fills with keys given twice; the last one counts. `resolve`
    gives the value of an unquoted scalar."""

    def __init__(self, resolve: Callable[[str], Any] = resolve) -> None:
        self.duplicates: list[str] = []
        self._resolve = resolve
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        """Name -> value, and how many nodes and letters it has."""
        self._nodes = 1
        self._letters = 0
        self._aliased_nodes = 0
        self._aliased_letters = 0
        self._value: Any = None

    def build(self, next_event: Callable[[], Any]) -> Any:
        """Raises YamlError, and what the parser raises."""
        while True:
            event = next_event()
            kind = event.__class__
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._begin({}, event.anchor)
            elif kind is yaml.SequenceStartEvent:
                self._begin([], event.anchor)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentEndEvent or kind is yaml.StreamEndEvent:
                return self._value

    def _scalar(self, event: Any) -> None:
        text, tag = event.value, event.tag
        plain = event.implicit[0]
        self._nodes += 1
        self._letters += len(text)
        if plain and text == "<<" and self._awaits_key():
            self._frames[-1].key = _Merge
            return
        value = self._resolve(text) if (plain if tag is None else tag in _RESOLVED) else text
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1, len(text))
        self._add(value, event.start_mark)

    def _awaits_key(self) -> bool:
        return bool(self._frames) and self._frames[-1].key is _MISSING and self._frames[-1].value.__class__ is dict

    def _begin(self, value: Any, anchor: str | None) -> None:
        if len(self._frames) >= MAX_DEPTH:
            raise YamlError(TOO_DEEP)
        self._frames.append(_Frame(value, anchor, self._nodes, self._letters))
        self._nodes += 1

    def _end(self) -> None:
        frame = self._frames.pop()
        value = frame.value if frame.merged is None else {**frame.merged, **frame.value}
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (value, self._nodes - frame.nodes, self._letters - frame.letters)
        self._add(value, None)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        if any(frame.anchor == name for frame in self._frames):
            raise YamlError(f"yaml: anchor '{name}' value contains itself")
        if name not in self._anchors:
            raise YamlError(f"yaml: unknown anchor '{name}' referenced")
        value, nodes, letters = self._anchors[name]
        self._nodes += 1 + nodes
        self._letters += letters
        self._aliased_nodes += nodes
        self._aliased_letters += letters
        if self._is_excessive():
            raise YamlError("yaml: document contains excessive aliasing")
        if len(self._frames) + depth_of(value) > MAX_DEPTH:
            raise YamlError(TOO_DEEP)
        self._add(value, event.start_mark)

    def _is_excessive(self) -> bool:
        if self._aliased_letters > _MOST_LETTERS:
            return True
        share = self._aliased_nodes / self._nodes
        return self._aliased_nodes > 100 and self._nodes > 1000 and share > _allowed_share(self._nodes)

    def _add(self, value: Any, mark: Any) -> None:
        if not self._frames:
            _check_finite(value)
            self._value = value
            return
        frame = self._frames[-1]
        if frame.value.__class__ is list:
            _check_finite(value)
            frame.value.append(value)
        elif frame.key is _MISSING:
            frame.key, frame.key_line = value, mark.line + 1 if mark is not None else 0
        else:
            key, frame.key = frame.key, _MISSING
            self._set(frame, key, value)

    def _set(self, frame: _Frame, key: Any, value: Any) -> None:
        if key is _Merge:
            frame.merged = frame.merged or {}
            for part in reversed(value) if isinstance(value, list) else (value,):
                if not isinstance(part, dict):
                    raise YamlError("yaml: map merge requires map or sequence of maps as the value")
                frame.merged.update(part)
            return
        _check_finite(value)
        name = key if key.__class__ is str else _key(key, value)
        if name in frame.value:
            self.duplicates.append(f'line {frame.key_line}: key "{name}" already set in map')
        frame.value[name] = value


def _allowed_share(nodes: int) -> float:
    if nodes <= _MANY:
        return 0.99
    return max(0.99 - 0.89 * (nodes - _MANY) / (9 * _MANY), 0.10)


def depth_of(value: Any) -> int:
    """How deeply a value nests; parts that aliases share are looked at once."""
    depth = 0
    level = {id(value): value}
    while level := {id(item): item for item in level.values() if item.__class__ is dict or item.__class__ is list}:
        depth += 1
        inner = [part for item in level.values() for part in (item.values() if item.__class__ is dict else item)]
        level = {id(part): part for part in inner}
    return depth


def _check_finite(value: Any) -> None:
    if value.__class__ is float and not math.isfinite(value):
        shown = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        raise YamlError(f"json: unsupported value: {shown}")


def _key(key: Any, value: Any) -> str:
    """A key that is no text as text; value only for the message."""
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return go_float(key) if isinstance(key, float) else str(key)
    shown = "<nil>" if key is None else str(key)
    kind = "%!s(<nil>)" if key is None else "map[interface {}]interface {}" if isinstance(key, dict) else "[]interface {}"
    raise YamlError(f"unsupported map key of type: {kind}, key: {shown}, value: {value}")
