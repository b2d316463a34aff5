"""What Go's encoding/json says about a document that is not JSON, and the duplicate keys of one that is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

import orjson

from kctl.apimachinery import bounds


class JsonError(Exception):
    """The text is Go's: `invalid character 'h' looking for beginning of value`."""


def loads(raw: bytes) -> tuple[Any, list[str]]:
    """The value, and the paths of keys given twice (the last one counts). Raises JsonError."""
    try:
        plain = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _lenient(raw.decode("utf-8", "replace"))
    keys, depth = bounds.survey(plain)
    if depth > bounds.MAX_DEPTH:
        raise JsonError(bounds.EXCEEDED)
    if keys == raw.count(b'":') or keys == len(_KEY.findall(raw)):  # strings may contain some, too
        return plain, []
    return _lenient(raw.decode("utf-8"))


_KEY = re.compile(rb'"\s*+:')
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Pairs(list[tuple[str, Any]]):
    """An object with all its keys, repeated ones too, in the order they stand in."""


def _lenient(text: str) -> tuple[Any, list[str]]:
    """What Go takes and orjson does not: half a surrogate pair (which becomes U+FFFD), bytes that are no UTF-8. Finds repeated keys."""
    repeated = False

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        parsed = dict(items)
        repeated = repeated or len(parsed) != len(items)
        return parsed

    value = _parsed(text, pairs)
    if bounds.too_deep(value):
        raise JsonError(bounds.EXCEEDED)
    paths = [path for path, again in _keys(_parsed(text, _Pairs)) if again] if repeated else []
    if "\\ud" in text or "\\uD" in text:
        value = _without_surrogates(value)
    return value, list(dict.fromkeys(paths))


def _parsed(text: str, pairs: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_integer, parse_float=_float, object_pairs_hook=pairs)
    except RecursionError:
        raise JsonError(bounds.EXCEEDED) from None
    except ValueError:
        raise JsonError(explain(text)) from None


def strict_problems(raw: bytes, unknown: Collection[str]) -> list[tuple[str, bool]]:
    """(path, whether it is there again) of the fields `unknown` to a typed reader and of those given twice, as the reader meets them: what
    is in an unknown field is passed over."""
    found: dict[tuple[str, bool], None] = {}
    for path, again in _keys(_parsed(raw.decode("utf-8", "replace"), _Pairs), frozenset(unknown)):
        if path in unknown:
            found[path, False] = None
        elif again:
            found[path, True] = None
    return list(found)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 20 and -(2**63) <= int(digits) < 2**64 else _float(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise JsonError(f"json: cannot unmarshal number {digits} into Go value of type float64")
    return number


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", key): _without_surrogates(inner) for key, inner in value.items()}
    return [_without_surrogates(inner) for inner in value] if isinstance(value, list) else value


def _keys(value: Any, closed: Collection[str] = ()) -> Iterator[tuple[str, bool]]:
    """(path, whether it was given before) of all keys as they stand in a document of _Pairs; what is in one of `closed` is left out."""
    waiting: list[Iterator[tuple[str, bool | None, Any]]] = [_members(value, "")]
    while waiting:
        member = next(waiting[-1], None)
        if member is None:
            waiting.pop()
            continue
        path, again, inner = member
        if again is not None:
            yield path, again
        if isinstance(inner, list) and path not in closed:
            waiting.append(_members(inner, path))


def _members(value: Any, path: str) -> Iterator[tuple[str, bool | None, Any]]:
    """(path, whether it was given before, value) of the keys of an object, or the elements of a list, about which None is said."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, inner in value:
            key = _SURROGATE.sub("\ufffd", key)
            yield (f"{path}.{key}" if path else key), key in seen, inner
            seen.add(key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield f"{path}[{index}]", None, inner


_END = "unexpected end of JSON input"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?")
_SPACE = re.compile(r"[ \t\r\n]*+")
_INSIDE = r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
_STRING = f'"{_INSIDE}"'
_SCALAR = rf"[ \t\r\n]*+(?:{_STRING}|{_NUMBER.pattern}|true|false|null)[ \t\r\n]*+"
_ELEMENTS = re.compile(f"(?:{_SCALAR},)*+")
_PAIRS = re.compile(rf"(?:[ \t\r\n]*+{_STRING}[ \t\r\n]*+:{_SCALAR},)*+")
"""What is certainly right is passed over at once, so that a large body costs no more than to be read."""
_TEXT = re.compile(_INSIDE)
_HEX = frozenset("0123456789abcdefABCDEF")


def explain(text: str) -> str:
    """Walk as Go's scanner does until it stumbles."""
    scanner = _Scanner(text)
    try:
        scanner.value("looking for beginning of value")
        scanner.space()
        if scanner.at < len(text):
            scanner.bad("after top-level value")
    except JsonError as error:
        return str(error)
    return "invalid JSON"


def _escaped(letter: str) -> str:
    number = ord(letter)
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(letter) or (f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Pass over what a pattern that also matches nothing finds here."""
        skipped = pattern.match(self.text, self.at)
        assert skipped is not None
        self.at = skipped.end()

    def space(self) -> None:
        self.skip(_SPACE)

    def bad(self, where: str) -> None:
        if self.at >= len(self.text):
            raise JsonError(_END)
        letter = self.text[self.at]
        shown = {"'": "'\\''", '"': "'\"'"}.get(letter) or f"'{letter if letter.isprintable() else _escaped(letter)}'"
        raise JsonError(f"invalid character {shown} {where}")

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def value(self, where: str) -> None:
        self.space()
        letter = self.peek()
        if letter == "{" or letter == "[":
            self.depth += 1
            if self.depth > bounds.MAX_DEPTH:
                raise JsonError(bounds.EXCEEDED)
            if letter == "{":
                self.object()
            else:
                self.array()
            self.depth -= 1
        elif letter == '"':
            self.string()
        elif letter and letter in "tfn":
            self.literal({"t": "true", "f": "false", "n": "null"}[letter])
        elif letter and (letter in "-0123456789"):
            number = _NUMBER.match(self.text, self.at)
            if number is None:
                self.at += 1
                self.bad("in numeric literal")
            else:
                self.at = number.end()
        else:
            self.bad(where)

    def literal(self, word: str) -> None:
        for index, letter in enumerate(word):
            if self.peek() != letter:
                self.bad(f"in literal {word} (expecting '{word[index]}')")
            self.at += 1

    def string(self) -> None:
        self.at += 1
        while True:
            self.skip(_TEXT)
            letter = self.peek()
            if letter == '"':
                break
            if letter != "\\":
                self.bad("in string literal")
            self.at += 1
            self.escape()
        self.at += 1

    def escape(self) -> None:
        if self.peek() not in tuple('bfnrt\\/"u'):
            self.bad("in string escape code")
        digits = 4 if self.peek() == "u" else 0
        self.at += 1
        for _ in range(digits):
            if self.peek() not in _HEX:
                self.bad("in \\u hexadecimal character escape")
            self.at += 1

    def object(self) -> None:
        self.at += 1
        self.space()
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            self.skip(_PAIRS)
            self.space()
            if self.peek() != '"':
                self.bad("looking for beginning of object key string")
            self.string()
            self.space()
            if self.peek() != ":":
                self.bad("after object key")
            self.at += 1
            self.value("looking for beginning of value")
            self.space()
            if self.peek() == "}":
                self.at += 1
                return
            if self.peek() != ",":
                self.bad("after object key:value pair")
            self.at += 1

    def array(self) -> None:
        self.at += 1
        self.space()
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            self.skip(_ELEMENTS)
            self.value("looking for beginning of value")
            self.space()
            if self.peek() == "]":
                self.at += 1
                return
            if self.peek() != ",":
                self.bad("after array element")
            self.at += 1
