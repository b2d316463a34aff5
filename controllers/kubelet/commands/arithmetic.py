"""$((...)): the integers of POSIX sh, in 64 bits. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from controllers.kubelet.commands.errors import NotInterpreted

_TOKEN = re.compile(r"\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*|<<=|>>=|&&|\|\||<<|>>|[-+*/%&|^<>=!]=|[-+*/%&|^<>=!~?:(),])")
_MOST_TOKENS = 500
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<=", ">=", "<", ">"),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)


class ArithmeticError_(Exception):
    """The message is the shell's."""


def _wrap(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise ArithmeticError_("divide by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


_BINARY: Mapping[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a) or bool(b)),
    "&&": lambda a, b: int(bool(a) and bool(b)),
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<<": lambda a, b: a << (b & 63),
    ">>": lambda a, b: a >> (b & 63),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "%": lambda a, b: a - b * _divide(a, b),
}


class _Evaluator:
    def __init__(self, tokens: list[str], variables: dict[str, str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._variables = variables

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def whole(self) -> int:
        value = self._assignment()
        if self._peek():
            raise ArithmeticError_("arithmetic syntax error")
        return value

    def _assignment(self) -> int:
        token = self._peek()
        following = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""
        if (token[:1].isalpha() or token[:1] == "_") and (
            following == "=" or (len(following) >= 2 and following.endswith("=") and following[:-1] in _BINARY and following not in _BINARY)
        ):
            self._at += 2
            value = self._assignment()
            if following != "=":
                value = _wrap(_BINARY[following[:-1]](self._variable(token), value))
            self._variables[token] = str(value)
            return value
        return self._choice()

    def _choice(self) -> int:
        condition = self._level(0)
        if self._peek() != "?":
            return condition
        self._at += 1
        first = self._assignment()
        if self._take() != ":":
            raise ArithmeticError_("arithmetic syntax error")
        second = self._assignment()
        return first if condition else second

    def _level(self, level: int) -> int:
        if level == len(_LEVELS):
            return self._unary()
        value = self._level(level + 1)
        while self._peek() in _LEVELS[level]:
            operator = self._take()
            value = _wrap(_BINARY[operator](value, self._level(level + 1)))
        return value

    def _unary(self) -> int:
        token = self._take()
        if token == "-":
            return _wrap(-self._unary())
        if token == "+":
            return self._unary()
        if token == "!":
            return int(not self._unary())
        if token == "~":
            return ~self._unary()
        if token == "(":
            value = self._assignment()
            if self._take() != ")":
                raise ArithmeticError_("arithmetic syntax error")
            return value
        if token[:1].isdigit():
            return _number(token)
        if token[:1].isalpha() or token[:1] == "_":
            return self._variable(token)
        raise ArithmeticError_("arithmetic syntax error")

    def _variable(self, name: str) -> int:
        text = self._variables.get(name, "").strip()
        sign = -1 if text.startswith("-") else 1
        return sign * _number(text.lstrip("+-")) if text else 0


def _number(text: str) -> int:
    try:
        if len(text) > 25:
            raise ValueError
        if text[:2] in ("0x", "0X"):
            return _wrap(int(text, 16))
        return _wrap(int(text, 8 if text.startswith("0") and text != "0" else 10))
    except ValueError:
        raise ArithmeticError_("arithmetic syntax error") from None


def calculate(text: str, variables: dict[str, str]) -> int:
    """Assignments change `variables`. Raises ArithmeticError_, and NotInterpreted for what is too long."""
    tokens: list[str] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ArithmeticError_("arithmetic syntax error")
        tokens.append(token.group(1))
        at = token.end()
        if len(tokens) > _MOST_TOKENS:
            raise NotInterpreted("a calculation of that length")
    return _Evaluator(tokens, variables).whole() if tokens else 0
