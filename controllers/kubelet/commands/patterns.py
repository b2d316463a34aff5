"""Shell patterns (* ? [...]) and regular expressions, in bounded time. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from controllers.kubelet.commands.errors import NotInterpreted

Piece = tuple[str, bool]
"""(text, whether it is quoted)"""
_LONGEST_PATTERN = 1000
_MOST_STEPS = 20_000_000
"""Characters of a text times parts of an expression: what RE2 does in some 20 ms where it has to look at every part for each."""
_CLASSES = {
    "digit": "0-9",
    "alpha": "A-Za-z",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": " \t\n\r\f\v",
    "xdigit": "0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class _Set:
    """[...]; `?` is the set of all. `source`: as a regular expression."""

    singles: frozenset[str] = frozenset()
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = True

    def __contains__(self, character: str) -> bool:
        return (character in self.singles or any(low <= character <= high for low, high in self.ranges)) is not self.negated

    @property
    def source(self) -> str:
        if not self.singles and not self.ranges:
            return "." if self.negated else r"[^\x00-\x{10FFFF}]"
        members = [re.escape(each) for each in sorted(self.singles)]
        members += [f"{re.escape(low)}-{re.escape(high)}" for low, high in self.ranges if low <= high]
        return f"[{'^' if self.negated else ''}{''.join(members)}]"


Token = str | _Set | None
"""A character, a set of them, or None for any number of them."""
_QUICK = 200
"""Up to so many characters a pattern is matched as it is; longer texts as a regular expression, in linear time."""


@lru_cache(maxsize=512)
def _tokens(pieces: tuple[Piece, ...]) -> tuple[Token, ...]:
    if sum(len(text) for text, _ in pieces) > _LONGEST_PATTERN:
        raise NotInterpreted("a pattern of that length")
    tokens: list[Token] = []
    for text, quoted in pieces:
        if quoted:
            tokens += text
            continue
        at = 0
        while at < len(text):
            character = text[at]
            at += 1
            end = text.find("]", at + 1 + (text[at : at + 1] in ("!", "^"))) if character == "[" else -1
            if character == "*":
                if not tokens or tokens[-1] is not None:
                    tokens.append(None)
            elif character == "?":
                tokens.append(_Set())
            elif end > 0:
                tokens.append(_set(text[at:end]))
                at = end + 1
            else:
                tokens.append(character)
    return tuple(tokens)


def _set(inner: str) -> _Set:
    negated = inner[:1] in ("!", "^")
    inner = inner[1:] if negated else inner
    for name, members in _CLASSES.items():
        inner = inner.replace(f"[:{name}:]", members)
    singles, ranges, at = set(), [], 0
    while at < len(inner):
        if inner[at + 1 : at + 2] == "-" and at + 2 < len(inner):
            ranges.append((inner[at], inner[at + 2]))
            at += 3
        else:
            singles.add(inner[at])
            at += 1
    return _Set(frozenset(singles), tuple(ranges), negated)


def matches(text: str, pieces: Sequence[Piece]) -> bool:
    """The whole of `text`. What quotes protect matches itself."""
    tokens = _tokens(tuple(pieces))
    if len(text) > _QUICK:
        return _whole(tokens, "full", False).search(text) is not None
    at = index = 0
    star, resume = -1, 0
    while at < len(text):
        token = tokens[index] if index < len(tokens) else ""
        if index < len(tokens) and token is None:
            star, resume = index, at
            index += 1
        elif index < len(tokens) and (token == text[at] if isinstance(token, str) else token is not None and text[at] in token):
            at, index = at + 1, index + 1
        elif star >= 0:
            resume += 1
            at, index = resume, star + 1
        else:
            return False
    return all(token is None for token in tokens[index:])


def trimmed(text: str, pieces: Sequence[Piece], *, end: bool, longest: bool) -> str:
    """Without the shortest or longest beginning, or end, that the pattern matches; the whole text where none does."""
    tokens = _tokens(tuple(pieces))
    if end:  # the beginning of what is read backwards
        found = _whole(tokens[::-1], "longest" if longest else "shortest", True).search(text[::-1])
        return text if found is None else text[: len(text) - found.end()]
    found = _whole(tokens, "longest" if longest else "shortest", True).search(text)
    return text if found is None else text[found.end() :]


@lru_cache(maxsize=256)
def _whole(tokens: tuple[Token, ...], what: str, beginning: bool) -> Expression:
    repeated = ".*?" if what == "shortest" else ".*"
    parts = [repeated if token is None else re.escape(token) if isinstance(token, str) else token.source for token in tokens]
    try:
        return Expression(None, _linear(f"^{''.join(parts)}" + ("" if beginning else "$"), shortest=what == "shortest"))
    except ValueError:
        raise NotInterpreted("a pattern of that length") from None


def has_pattern(pieces: Sequence[Piece]) -> bool:
    return any(not quoted and any(character in text for character in "*?[") for text, quoted in pieces)


class Match(Protocol):
    """As of `re`."""

    def start(self, group: int = 0, /) -> int: ...

    def end(self, group: int = 0, /) -> int: ...

    def span(self, group: int = 0, /) -> tuple[int, int]: ...

    def group(self, group: int = 0, /) -> Any: ...


class _Span:
    """A match of RE2, in terms of the text that was searched."""

    __slots__ = ("_match", "_text")

    def __init__(self, match: Any, text: str) -> None:
        self._match = match
        self._text = text

    def span(self, group: int = 0) -> tuple[int, int]:
        found: tuple[int, int] = self._match.span(group)
        return found

    def start(self, group: int = 0) -> int:
        return self.span(group)[0]

    def end(self, group: int = 0) -> int:
        return self.span(group)[1]

    def group(self, group: int = 0) -> str | None:
        start, end = self.span(group)
        return None if start < 0 else self._text[start:end]


class Expression:
    """A regular expression. What has no repetition and no choice is matched by Python's engine, which is quick; all else by RE2: in time
    linear in the text, and the longest at the leftmost place, as POSIX wants it."""

    __slots__ = ("_linear", "_plain")

    def __init__(self, plain: Any, linear: Any = None) -> None:
        self._plain = plain
        self._linear = linear

    def search(self, text: str, start: int = 0) -> Match | None:
        """Where it matches first. Raises NotInterpreted where that could take long."""
        if self._plain is not None:
            plain: Match | None = self._plain.search(text, start)
            return plain
        if len(text) * self._linear.programsize > _MOST_STEPS:
            raise NotInterpreted("an expression of that length on so long a text")
        try:
            match = self._linear.search(text, start)
        except UnicodeEncodeError:  # bytes that are no UTF-8: one character takes the place of each
            match = self._linear.search(text.translate(_REPLACED), start)
        return None if match is None else _Span(match, text)


_REPLACED = {surrogate: 0xE000 + surrogate - 0xD800 for surrogate in range(0xDC80, 0xDD00)}
_SIMPLE = re.compile(r"\\.|\[\^?\]?[^\]]*\]|[^*+?{|($]", re.DOTALL)
"""One atom of an expression that neither repeats nor chooses."""


@lru_cache(maxsize=256)
def expression(text: str, *, extended: bool = True, ignore_case: bool = False, fixed: bool = False) -> Expression:
    """A POSIX regular expression. Raises NotInterpreted for what is not one."""
    if len(text) > _LONGEST_PATTERN:
        raise NotInterpreted("an expression of that length")
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    if fixed:
        return Expression(re.compile(re.escape(text), flags))
    translated = text if extended else _from_basic(text)
    for name, members in _CLASSES.items():
        translated = translated.replace(f"[:{name}:]", members)
    if re.search(r"\\[1-9]|\(\?", translated):
        raise NotInterpreted(f"the expression {text}")
    try:
        if not _SIMPLE.sub("", translated):
            return Expression(re.compile(translated, flags))
        return Expression(None, _linear(re.sub(r"(?<!\\)\*{2,}", "*", translated), ignore_case=ignore_case))
    except (re.error, OverflowError, ValueError):
        raise NotInterpreted(f"the expression {text}") from None


def _linear(translated: str, *, ignore_case: bool = False, shortest: bool = False) -> Any:
    """Compiled by RE2, which is imported with the first expression that needs it. Raises ValueError."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.longest_match = not shortest
    options.case_sensitive = not ignore_case
    options.dot_nl = True
    options.never_nl = False
    try:
        return re2.compile(translated, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from None


def _from_basic(text: str) -> str:
    """Basic to extended: \\( \\) \\{ \\} \\| \\+ \\? are special with, the bare ones without a backslash."""
    made, at = "", 0
    while at < len(text):
        character = text[at]
        if character == "[" and (end := text.find("]", at + 2)) > 0:
            made += text[at : end + 1]
            at = end + 1
            continue
        if character == "\\" and at + 1 < len(text):
            following = text[at + 1]
            made += following if following in "(){}|+?" else character + following
            at += 2
            continue
        made += "\\" + character if character in "(){}|+?" else character
        at += 1
    return made
