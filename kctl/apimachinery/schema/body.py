"""Request bodies in JSON: parsed value, duplicate keys, and encoding/json's words for what is no JSON.

orjson parses; a duplicate key is noticed because the text then holds more `":` pairs than the value has keys, and only then
is the body read again, slowly, for the paths.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson


class MalformedJson(ValueError):
    """Not JSON; the message is encoding/json's: `invalid character 'h' looking for beginning of value`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def parse_json(data: bytes) -> tuple[Any, list[str]]:
    """(value, paths of duplicate keys). The last of duplicates wins. Raises MalformedJson."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _tolerant(data)
    if data.count(b'":') - data.count(b'\\":') + data.count(b'" :') == _keys(value):
        return value, []
    return value, _duplicates(data)


def _keys(value: Any) -> int:
    """How many object keys a parsed value holds."""
    total = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            total += len(item)
            stack.extend(item.values())
        elif type(item) is list:
            stack.extend(item)
    return total


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that duplicates survive parsing."""


def _duplicates(data: bytes) -> list[str]:
    found: list[str] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, _Pairs):
            seen = set()
            for key, item in value:
                where = f"{path}.{key}" if path else key
                if key in seen:
                    found.append(where)
                seen.add(key)
                walk(item, where)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                walk(item, f"{path}[{index}]")

    walk(json.loads(data, object_pairs_hook=_Pairs), "")
    return list(dict.fromkeys(found))


def _tolerant(data: bytes) -> tuple[Any, list[str]]:
    """What orjson refuses and Go takes (lone surrogates, bytes that are no UTF-8, big integers); else the error."""
    text = data.decode("utf-8", errors="replace")
    fault = _fault(text)
    if fault:
        raise MalformedJson(fault)
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        raise MalformedJson("invalid character in JSON") from None
    return _scrub(value), _duplicates(text.encode("utf-8", errors="surrogatepass"))


def _scrub(value: Any) -> Any:
    """Lone surrogates become U+FFFD, as in Go."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, list):
        return [_scrub(item) for item in value]
    if isinstance(value, dict):
        return {_scrub(key): _scrub(item) for key, item in value.items()}
    return value


END = "unexpected end of JSON input"
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


def _quote(character: str) -> str:
    if character == "'":
        return r"'\''"
    if character == '"':
        return "'\"'"
    if character.isprintable():
        return f"'{character}'"
    return {"\n": r"'\n'", "\t": r"'\t'", "\r": r"'\r'"}.get(character, f"'\\x{ord(character):02x}'")


class _Scanner:
    """encoding/json's state machine, as far as its error messages go."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, context: str) -> str:
        if self.at >= len(self.text):
            return END
        return f"invalid character {_quote(self.text[self.at])} {context}"

    def space(self) -> str:
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        return self.text[self.at : self.at + 1]

    def value(self) -> str:
        """'' when a value was read, else the error."""
        first = self.space()
        if first == "{":
            return self._object()
        if first == "[":
            return self._array()
        if first == '"':
            return self._string()
        for word in ("true", "false", "null"):
            if first == word[0]:
                return self._literal(word)
        if first == "-" or first.isdigit():
            return self._number()
        return self.fail("looking for beginning of value")

    def _literal(self, word: str) -> str:
        for offset, expected in enumerate(word):
            if self.text[self.at : self.at + 1] != expected:
                return self.fail(f"in literal {word} (expecting {_quote(word[offset])})")
            self.at += 1
        return ""

    def _number(self) -> str:
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            self.at += 1
            return self.fail("in numeric literal")
        self.at = found.end()
        rest = self.text[self.at : self.at + 1]
        if rest == ".":
            self.at += 1
            return self.fail("after decimal point in numeric literal")
        if rest in ("e", "E"):
            self.at += 1
            if self.text[self.at : self.at + 1] in ("+", "-"):
                self.at += 1
            return self.fail("in exponent of numeric literal")
        return ""

    def _string(self) -> str:
        self.at += 1
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                return ""
            if character < " ":
                return self.fail("in string literal")
            if character == "\\":
                self.at += 1
                escape = self.text[self.at : self.at + 1]
                if escape == "u":
                    for _ in range(4):
                        self.at += 1
                        if self.text[self.at : self.at + 1] not in tuple("0123456789abcdefABCDEF"):
                            return self.fail("in \\u hexadecimal character escape")
                elif escape not in tuple('"\\/bfnrt'):
                    return self.fail("in string escape code")
            self.at += 1
        return END

    def _object(self) -> str:
        self.at += 1
        if self.space() == "}":
            self.at += 1
            return ""
        while True:
            if self.space() != '"':
                return self.fail("looking for beginning of object key string")
            fault = self._string()
            if fault:
                return fault
            if self.space() != ":":
                return self.fail("after object key")
            self.at += 1
            fault = self.value()
            if fault:
                return fault
            after = self.space()
            if after not in ("}", ","):
                return self.fail("after object key:value pair")
            self.at += 1
            if after == "}":
                return ""

    def _array(self) -> str:
        self.at += 1
        if self.space() == "]":
            self.at += 1
            return ""
        while True:
            fault = self.value()
            if fault:
                return fault
            after = self.space()
            if after not in ("]", ","):
                return self.fail("after array element")
            self.at += 1
            if after == "]":
                return ""


def _fault(text: str) -> str:
    """encoding/json's message for a text, '' if it is one JSON value."""
    scanner = _Scanner(text)
    try:
        fault = scanner.value()
    except RecursionError:
        return "exceeded max depth"
    if fault:
        return fault
    return scanner.fail("after top-level value") if scanner.space() else ""


def preview(data: bytes) -> str:
    """How a refused body is shown: `<empty>`, text that looks like JSON cut to 30 bytes, other bytes as hex."""
    if not data:
        return "<empty>"
    head = data[:31]
    cut = " ..." if len(data) > 30 else ""
    if data.lstrip()[:1] in (b"{",):
        return head[:30].decode("utf-8", errors="replace") + cut
    return head[:30].hex() + cut


_TYPE_META = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'


def unrecognized(data: bytes, why: str, expected_kind: str = "") -> str:
    """`the object provided is unrecognized (must be of type ConfigMap): ...`; `why` is any of those below."""
    must = f" (must be of type {expected_kind})" if expected_kind else ""
    return f"the object provided is unrecognized{must}: {why} ({preview(data)})"


def no_version(why: str) -> str:
    return f"couldn't get version/kind; json parse error: {why}"


def not_an_object(value: Any) -> str:
    """`why` for a body that is JSON but no object."""
    from kctl.apimachinery.schema.diagnose import json_kind

    return no_version(f"json: cannot unmarshal {json_kind(value)} into Go value of type {_TYPE_META}")
