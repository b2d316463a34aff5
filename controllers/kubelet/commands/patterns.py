"""Shell patterns (* ? [...]) and regular expressions, in bounded time. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from controllers.kubelet.commands.errors import NotInterpreted

Piece = tuple[str, bool]
"""(text, whether it is quoted)"""
_LONGEST_PATTERN = 1000
_MOST_STEPS = 3_000_000
_CLASSES = {
    "digit": "0-9",
    "alpha": "A-Za-z",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": " \t\n\r\f\v",
    "xdigit": "0-9A-Fa-f",
}

Token = str | Callable[[str], bool] | None
"""A character, a test of one, or None for any number of them."""


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
                tokens.append(lambda _: True)
            elif end > 0:
                tokens.append(_set(text[at:end]))
                at = end + 1
            else:
                tokens.append(character)
    return tuple(tokens)


def _set(inner: str) -> Callable[[str], bool]:
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
    return lambda character: (character in singles or any(low <= character <= high for low, high in ranges)) is not negated


def matches(text: str, pieces: Sequence[Piece]) -> bool:
    """The whole of `text`. What quotes protect matches itself."""
    tokens = _tokens(tuple(pieces))
    at = index = 0
    star, resume = -1, 0
    while at < len(text):
        token = tokens[index] if index < len(tokens) else ""
        if index < len(tokens) and token is None:
            star, resume = index, at
            index += 1
        elif index < len(tokens) and (token == text[at] if isinstance(token, str) else token is not None and token(text[at])):
            at, index = at + 1, index + 1
        elif star >= 0:
            resume += 1
            at, index = resume, star + 1
        else:
            return False
    return all(token is None for token in tokens[index:])


def has_pattern(pieces: Sequence[Piece]) -> bool:
    return any(not quoted and any(character in text for character in "*?[") for text, quoted in pieces)


class Expression:
    """A regular expression, and what a search with it may cost."""

    __slots__ = ("_any", "_pattern", "_words")

    def __init__(self, pattern: re.Pattern[str], any_repeats: int, word_repeats: int) -> None:
        self._pattern = pattern
        self._any = any_repeats
        self._words = word_repeats

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        """Where it matches first. Raises NotInterpreted where that could take long."""
        if self._any + self._words > 1:
            runs = max((len(run.group(0)) for run in _RUN.finditer(text)), default=0) if self._words else 0
            if (len(text) or 1) ** min(self._any, 99) * (runs or 1) ** min(self._words, 99) > _MOST_STEPS:
                raise NotInterpreted("an expression with that many repetitions on so long a text")
        return self._pattern.search(text, start)


_RUN = re.compile(r"\w+|\s+|(?:(.)\1*)")


@lru_cache(maxsize=256)
def expression(text: str, *, extended: bool = True, ignore_case: bool = False, fixed: bool = False) -> Expression:
    """A POSIX regular expression. Raises NotInterpreted for what is not one, or could take for ever."""
    if len(text) > _LONGEST_PATTERN:
        raise NotInterpreted("an expression of that length")
    flags = re.IGNORECASE if ignore_case else 0
    if fixed:
        return Expression(re.compile(re.escape(text), flags), 0, 0)
    translated = text if extended else _from_basic(text)
    for name, members in _CLASSES.items():
        translated = translated.replace(f"[:{name}:]", members)
    if re.search(r"\\[1-9]|\(\?", translated):
        raise NotInterpreted(f"the expression {text}")
    any_repeats, word_repeats = _repeats(translated, text)
    try:
        return Expression(re.compile(translated, flags), any_repeats, word_repeats)
    except (re.error, OverflowError):
        raise NotInterpreted(f"the expression {text}") from None


def _repeats(translated: str, text: str) -> tuple[int, int]:
    """How many parts repeat that match anything, and how many that match only characters of words or one character."""
    inside: list[bool] = [False]
    any_repeats = word_repeats = 0
    before = ""
    for token in _ATOM.finditer(translated):
        atom = token.group(0)
        if atom == "(":
            inside.append(False)
        elif atom == ")":
            repeats = inside.pop() if len(inside) > 1 else False
            if repeats and translated[token.end() : token.end() + 1] in ("*", "+", "{"):
                raise NotInterpreted(f"the expression {text}")
            inside[-1] = inside[-1] or repeats
        elif atom[0] in "*+{" and before:
            inside[-1] = True
            if any(int(number[:9]) > 1000 for number in re.findall(r"\d+", atom)):
                raise NotInterpreted(f"the expression {text}")
            if _WORDS.fullmatch(before):
                word_repeats += 1
            else:
                any_repeats += 1
        before = atom
    return any_repeats, word_repeats


_ATOM = re.compile(r"\\.|\[\^?\]?[^\]]*\]|\{\d*,?\d*\}|.", re.DOTALL)
_WORDS = re.compile(r"\[[\w-]+\]|\\[wd]|[^.\[\\)]")


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
