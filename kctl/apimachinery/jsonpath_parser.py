"""Reads a JSONPath template into nodes. Error wording follows k8s.io/client-go/util/jsonpath."""

from __future__ import annotations

import re

from kctl.apimachinery.jsonpath_nodes import (
    Array,
    Field,
    Filter,
    Identifier,
    JSONPathError,
    Literal,
    Node,
    NodeList,
    Recursive,
    Text,
    Union,
    Wildcard,
)

_SLICE = re.compile(r"(-?\d*)(?::(-?\d*))?(?::(-?\d*))?$")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_OPERATOR = re.compile(r"(==|!=|<=|>=|<|>|=~|=)")
_ENDS_WORD = set(" \t\r\n.[],$@{}()'\"<>=!")


def parse_template(text: str) -> NodeList:
    """Text and {expressions}."""
    nodes: list[Node] = []
    position = 0
    while position < len(text):
        start = text.find("{", position)
        if start < 0:
            nodes.append(Text(text[position:]))
            break
        if start > position:
            nodes.append(Text(text[position:start]))
        end = _closing_brace(text, start + 1)
        nodes.append(NodeList(_Expression(text[start + 1 : end]).nodes()))
        position = end + 1
    return NodeList(nodes)


def _closing_brace(text: str, position: int) -> int:
    quote = ""
    while position < len(text):
        letter = text[position]
        if quote:
            if letter == "\\":
                position += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"":
            quote = letter
        elif letter == "}":
            return position
        position += 1
    raise JSONPathError("unterminated quoted string" if quote else "unclosed action")


def unquote(text: str) -> str:
    """The inside of a quoted string with Go's escapes resolved."""

    def unescaped(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] in "xu":
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code, code)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", unescaped, text)


class _Expression:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def nodes(self) -> list[Node]:
        nodes: list[Node] = []
        while self.position < len(self.text):
            letter = self.text[self.position]
            if letter.isspace():
                self.position += 1
            elif letter in "'\"":
                nodes.append(Text(self._quoted()))
            elif letter == "$":
                self.position += 1
                nodes.append(Field("$"))
            elif letter == "@":
                self.position += 1
                if self.position < len(self.text) and self.text[self.position].isalnum():
                    nodes.append(self._field())
                elif not nodes:
                    nodes.append(Field(""))
            elif letter == "[":
                nodes.append(self._brackets())
            elif letter == ".":
                nodes.append(self._dot())
            elif letter.isdigit() or letter in "+-":
                nodes.append(self._number())
            elif letter.isalpha() or letter == "_":
                nodes.append(self._word())
            else:
                raise JSONPathError(f"unrecognized character in action: U+{ord(letter):04X} {letter!r}")
        return nodes

    def _quoted(self) -> str:
        quote = self.text[self.position]
        end = self.position + 1
        while end < len(self.text) and self.text[end] != quote:
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise JSONPathError("unterminated quoted string")
        inner = self.text[self.position + 1 : end]
        self.position = end + 1
        return unquote(inner)

    def _dot(self) -> Node:
        self.position += 1
        if self.text[self.position : self.position + 1] == ".":
            self.position += 1
            if self.text[self.position : self.position + 1] == ".":
                raise JSONPathError("invalid multiple recursive descent")
            following = self.text[self.position : self.position + 1]
            if following and following not in ".[*":
                self.position -= 1
                self.text = self.text[: self.position] + "." + self.text[self.position + 1 :]
            return Recursive()
        if self.text[self.position : self.position + 1] == "*":
            self.position += 1
            return Wildcard()
        return self._field()

    def _field(self) -> Node:
        letters: list[str] = []
        while self.position < len(self.text):
            letter = self.text[self.position]
            if letter == "\\" and self.position + 1 < len(self.text):
                self.position += 1
                letters.append(self.text[self.position])
            elif letter in _ENDS_WORD:
                break
            else:
                letters.append(letter)
            self.position += 1
        return Field("".join(letters))

    def _number(self) -> Node:
        match = re.match(r"[+-]?[\d.eE+-]+", self.text[self.position :])
        text = match.group() if match else self.text[self.position]
        self.position += len(text)
        try:
            return Literal(int(text))
        except ValueError:
            pass
        try:
            return Literal(float(text))
        except ValueError:
            raise JSONPathError(f"cannot parse number {text}") from None

    def _word(self) -> Node:
        match = re.match(r"\w+", self.text[self.position :])
        assert match is not None
        self.position += len(match.group())
        word = match.group()
        if word in ("true", "false"):
            return Literal(word == "true")
        if word in ("range", "end"):
            return Identifier(word)
        raise JSONPathError(f"unrecognized identifier {word}")

    def _brackets(self) -> Node:
        inner = self._balanced()
        stripped = inner.strip()
        if stripped.startswith("?("):
            if not stripped.endswith(")"):
                raise JSONPathError("unterminated filter")
            return _filter(stripped[2:-1])
        parts = _split(stripped)
        if len(parts) > 1:
            return Union([NodeList([_element(part.strip())]) for part in parts])
        return _element(stripped)

    def _balanced(self) -> str:
        start, depth, quote = self.position, 0, ""
        while self.position < len(self.text):
            letter = self.text[self.position]
            if quote:
                if letter == "\\":
                    self.position += 1
                elif letter == quote:
                    quote = ""
            elif letter in "'\"":
                quote = letter
            elif letter == "[":
                depth += 1
            elif letter == "]":
                depth -= 1
                if depth == 0:
                    self.position += 1
                    return self.text[start + 1 : self.position - 1]
            self.position += 1
        raise JSONPathError("unterminated array")


def _element(text: str) -> Node:
    if text == "*":
        return Wildcard()
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return NodeList(_Expression("." + text[1:-1]).nodes())
    match = _SLICE.match(text)
    if match is None or not text:
        raise JSONPathError(f"invalid array index {text}")
    start, end, step = (int(part) if part else None for part in match.groups())
    if ":" not in text:
        assert start is not None
        return Array(start, start + 1, None, single=True)
    return Array(start, end, step)


def _split(text: str) -> list[str]:
    """At commas outside quotes."""
    parts, current, quote = [], "", ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == ",":
            parts.append(current)
            current = ""
            continue
        current += letter
    return [*parts, current]


def _filter(text: str) -> Node:
    position, quote, depth = 0, "", 0
    while position < len(text):
        letter = text[position]
        if quote:
            if letter == "\\":
                position += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"":
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])":
            depth -= 1
        elif depth == 0 and (match := _OPERATOR.match(text, position)):
            operator = match.group()
            if operator not in ("==", "!=", "<=", ">=", "<", ">"):
                raise JSONPathError(f"unrecognized filter operator {operator}")
            left, right = text[:position], text[match.end() :]
            return Filter(NodeList(_Expression(left).nodes()), NodeList(_Expression(right).nodes()), operator)
        position += 1
    return Filter(NodeList(_Expression(text).nodes()), NodeList(), "exists")
