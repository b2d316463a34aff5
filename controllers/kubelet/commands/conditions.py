"""test, [ and [[ ]]: what they look at, and their small grammar over whole words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from controllers.kubelet.commands import patterns
from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Process
from controllers.kubelet.files.tree import Device, Directory, Symlink, size_of

_FILE_TESTS = "bcdefghLprsSuwxkOG"
_INTEGERS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


class TestError(Exception):
    """The message is the shell's."""


def file_test(process: Process, kind: str, path: str) -> bool:
    files, absolute = process.world.files, process.path(path)
    try:
        node = files.node(absolute, process.who, follow=kind not in "hL")
    except OSError:
        return False
    if kind == "d":
        return isinstance(node, Directory)
    if kind == "f":
        return not isinstance(node, Directory | Device | Symlink)
    if kind in "hL":
        return isinstance(node, Symlink)
    if kind == "c":
        return isinstance(node, Device)
    if kind == "s":
        return size_of(node) > 0
    if kind in "rwx":
        if kind == "w" and files.mount_of(files.real_path(absolute, process.who)).read_only:
            return False
        if kind == "x" and process.who.uid == 0 and not isinstance(node, Directory):
            return bool(node.mode & 0o111)
        return process.who.may(node, {"r": 4, "w": 2, "x": 1}[kind])
    if kind in "ug":
        return bool(node.mode & (0o4000 if kind == "u" else 0o2000))
    return kind == "e" or (kind == "O" and node.uid == process.who.uid) or (kind == "G" and node.gid == process.who.gid)


def _integer(text: str) -> int:
    if not re.fullmatch(r"\s*[-+]?\d{1,18}\s*", text):
        raise TestError(f"{text}: bad number" if text else ": out of range")
    return int(text)


class _Test:
    """test and [: a small grammar over whole words."""

    def __init__(self, process: Process, words: Sequence[str]) -> None:
        self._process = process
        self._words = list(words)
        self._at = 0

    def whole(self) -> bool:
        if not self._words:
            return False
        value = self._or()
        if self._at < len(self._words):
            raise TestError(f"{self._words[self._at]}: unexpected operator")
        return value

    def _left(self) -> int:
        return len(self._words) - self._at

    def _or(self) -> bool:
        value = self._and()
        while self._left() and self._words[self._at] == "-o":
            self._at += 1
            value = self._and() or value
        return value

    def _and(self) -> bool:
        value = self._not()
        while self._left() and self._words[self._at] == "-a":
            self._at += 1
            value = self._not() and value
        return value

    def _not(self) -> bool:
        negated = False
        while self._left() > 1 and self._words[self._at] == "!":
            self._at += 1
            negated = not negated
        return self._primary() is not negated

    def _primary(self) -> bool:
        if not self._left():
            raise TestError("argument expected")
        words = self._words[self._at : self._at + 3]
        if len(words) == 3 and (words[1] in _TEXTS or words[1] in _INTEGERS):
            self._at += 3
            return compared(words[0], words[1], words[2])
        if words[0] == "(" and len(words) > 1:
            self._at += 1
            value = self._or()
            if not self._left() or self._words[self._at] != ")":
                raise TestError("closing paren expected")
            self._at += 1
            return value
        if len(words) > 1 and re.fullmatch(f"-[{_FILE_TESTS}nzt]", words[0]):
            self._at += 2
            return unary(self._process, words[0][1], words[1])
        self._at += 1
        return bool(words[0])


def compared(left: str, operator: str, right: str) -> bool:
    if operator in _TEXTS:
        return _TEXTS[operator](left, right)
    return _INTEGERS[operator](_integer(left), _integer(right))


def unary(process: Process, kind: str, operand: str) -> bool:
    if kind in "nz":
        return bool(operand) is (kind == "n")
    if kind == "t":
        made: bool = process.world.terminal
        return made
    return file_test(process, kind, operand)


def evaluate(process: Process, words: Sequence[str], name: str, say: Callable[[str], None]) -> int:
    try:
        return int(not _Test(process, words).whole())
    except TestError as error:
        say(f"{name}: {error}")
        return 2


def double_bracket(process: Process, words: Sequence[tuple[str, list[patterns.Piece]]]) -> int:
    """[[ ... ]]: patterns on the right of = and !=, expressions on that of =~."""
    if not words:
        raise NotInterpreted("a script with an empty [[ ]]")
    value, index, negated = True, 0, False
    operator = "&&"
    while index < len(words):
        text = words[index][0]
        if text == "!":
            negated, index = not negated, index + 1
            continue
        if text in ("(", ")"):
            raise NotInterpreted("a script with [[ ( ) ]]")
        result, index = _bracket_term(process, words, index)
        value = _combined(value, operator, result is not negated)
        negated = False
        if index < len(words):
            operator, index = words[index][0], index + 1
            if operator not in ("&&", "||"):
                raise NotInterpreted(f"a script with [[ ... {operator} ]]")
    return int(not value)


def _combined(value: bool, operator: str, result: bool) -> bool:
    return (value and result) if operator == "&&" else (value or result)


def _bracket_term(process: Process, words: Sequence[tuple[str, list[patterns.Piece]]], index: int) -> tuple[bool, int]:
    text = words[index][0]
    following = words[index + 1][0] if index + 1 < len(words) else ""
    if index + 2 < len(words) and following in ("=", "==", "!=", "=~", *_INTEGERS, "<", ">"):
        right, pieces = words[index + 2]
        if following == "=~":
            return patterns.expression(right).search(text) is not None, index + 3
        if following in ("=", "==", "!="):
            return patterns.matches(text, pieces) is (following != "!="), index + 3
        try:
            return compared(text, following, right), index + 3
        except TestError:
            return False, index + 3
    if re.fullmatch(f"-[{_FILE_TESTS}nzt]", text) and index + 1 < len(words):
        return unary(process, text[1], following), index + 2
    return bool(text), index + 1
