"""What Go's encoding/json says about a document that is not JSON, and the duplicate keys of one that is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson


class JsonError(Exception):
    """The text is Go's: `invalid character 'h' looking for beginning of value`."""


def loads(raw: bytes) -> tuple[Any, list[str]]:
    """The value, and the paths of keys given twice (the last one counts). Raises JsonError."""
    repeated: dict[int, list[str]] = {}

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            seen: set[str] = set()
            repeated[id(found)] = [key for key, _ in items if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
        return found

    try:
        plain = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            text = raw.decode("utf-8", "replace")
            return json.loads(text, parse_constant=_refuse, object_pairs_hook=pairs), []
        except (ValueError, RecursionError):
            raise JsonError(explain(raw.decode("utf-8", "replace"))) from None
    if _count_keys(plain) == raw.count(b'":') or not _may_repeat(raw, plain):
        return plain, []
    value = json.loads(raw, object_pairs_hook=pairs)
    return value, list(_paths(value, "", repeated)) if repeated else []


def _refuse(name: str) -> Any:
    raise ValueError(name)


_KEY = re.compile(rb'"\s*:')


def _may_repeat(raw: bytes, value: Any) -> bool:
    """Whether the text has more `":` than the value has keys (strings may contain some, too)."""
    return len(_KEY.findall(raw)) != _count_keys(value)


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_count_keys(inner) for inner in value.values() if isinstance(inner, dict | list))
    if isinstance(value, list):
        return sum(_count_keys(inner) for inner in value if isinstance(inner, dict | list))
    return 0


def _paths(value: Any, path: str, repeated: dict[int, list[str]]) -> Iterator[str]:
    if isinstance(value, dict):
        for key in repeated.get(id(value), ()):
            yield f"{path}.{key}" if path else key
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{key}" if path else key, repeated)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, f"{path}[{index}]", repeated)


_END = "unexpected end of JSON input"
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")


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

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1

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
        if letter == "{":
            self.object()
        elif letter == "[":
            self.array()
        elif letter == '"':
            self.string()
        elif letter and letter in "tfn":
            self.literal({"t": "true", "f": "false", "n": "null"}[letter])
        elif letter and (letter == "-" or letter.isdigit()):
            found = _NUMBER.match(self.text, self.at)
            if found is None:
                self.at += 1
                self.bad("in numeric literal")
            else:
                self.at = found.end()
        else:
            self.bad(where)

    def literal(self, word: str) -> None:
        for index, letter in enumerate(word):
            if self.peek() != letter:
                self.bad(f"in literal {word} (expecting '{word[index]}')")
            self.at += 1

    def string(self) -> None:
        self.at += 1
        while self.peek() != '"':
            if self.peek() == "\\":
                self.at += 1
                if self.peek() not in tuple('bfnrt\\/"u'):
                    self.bad("in string escape code")
            elif self.at >= len(self.text) or self.peek() < " ":
                self.bad("in string literal")
            self.at += 1
        self.at += 1

    def object(self) -> None:
        self.at += 1
        self.space()
        if self.peek() == "}":
            self.at += 1
            return
        while True:
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
            self.value("looking for beginning of value")
            self.space()
            if self.peek() == "]":
                self.at += 1
                return
            if self.peek() != ",":
                self.bad("after array element")
            self.at += 1
