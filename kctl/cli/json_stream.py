"""Several JSON values in one text, and encoding/json's words for what is wrong with them.

orjson reads a single good value; this reader is for streams and for finding the error that Go would report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_SPACE = " \t\r\n"


class JsonError(ValueError):
    """Worded as apimachinery's YAMLOrJSONDecoder: `json: offset 21: invalid character ...`."""


def stream(text: str) -> Iterator[tuple[Any, int]]:
    """Each value and where it ends."""
    decoder = json.JSONDecoder()
    position = 0
    while True:
        while position < len(text) and text[position] in _SPACE:
            position += 1
        if position >= len(text):
            return
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError:
            raise _Scanner(text, position).error() from None
        yield value, position


class _Scanner:
    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.start = position

    def error(self) -> JsonError:
        try:
            self._value()
        except JsonError as error:
            return error
        return JsonError("unexpected EOF")

    def _peek(self) -> str:
        while self.position < len(self.text) and self.text[self.position] in _SPACE:
            self.position += 1
        if self.position >= len(self.text):
            raise JsonError("unexpected EOF")
        return self.text[self.position]

    def _fail(self, where: str) -> JsonError:
        letter = self.text[self.position]
        shown = "'\\''" if letter == "'" else "'\"'" if letter == '"' else f"'{letter}'"
        return JsonError(f"json: offset {self.position - self.start + 1}: invalid character {shown} {where}")

    def _value(self) -> None:
        letter = self._peek()
        if letter == "{":
            self._members("}", self._member, "after object key:value pair")
        elif letter == "[":
            self._members("]", self._value, "after array element")
        elif letter == '"':
            self._string()
        else:
            self._scalar()

    def _members(self, end: str, member: Any, after: str) -> None:
        self.position += 1
        if self._peek() == end:
            self.position += 1
            return
        while True:
            member()
            letter = self._peek()
            if letter == end:
                self.position += 1
                return
            if letter != ",":
                raise self._fail(after)
            self.position += 1

    def _member(self) -> None:
        if self._peek() != '"':
            raise self._fail("looking for beginning of object key string")
        self._string()
        if self._peek() != ":":
            raise self._fail("after object key")
        self.position += 1
        self._value()

    def _string(self) -> None:
        self.position += 1
        while self.position < len(self.text):
            letter = self.text[self.position]
            if letter < " ":
                raise self._fail("in string literal")
            self.position += 2 if letter == "\\" else 1
            if letter == '"':
                return
        raise JsonError("unexpected EOF")

    def _scalar(self) -> None:
        for word in ("true", "false", "null"):
            if self.text[self.position] == word[0]:
                for index, expected in enumerate(word):
                    if self.position >= len(self.text):
                        raise JsonError("unexpected EOF")
                    if self.text[self.position] != expected:
                        raise self._fail(f"in literal {word} (expecting '{word[index]}')")
                    self.position += 1
                return
        if self.text[self.position] not in "-0123456789":
            raise self._fail("looking for beginning of value")
        while self.position < len(self.text) and self.text[self.position] in "+-.eE0123456789":
            self.position += 1
