"""awk's words: a program text into tokens; a slash begins an expression where no operand ends before it."""

from __future__ import annotations

import re
from typing import NamedTuple

KEYWORDS = frozenset(
    [
        "BEGIN",
        "END",
        "function",
        "func",
        "if",
        "else",
        "while",
        "for",
        "do",
        "break",
        "continue",
        "next",
        "nextfile",
        "exit",
        "return",
        "delete",
        "in",
        "getline",
        "print",
        "printf",
    ]
)
BUILTINS = frozenset(
    [
        "length",
        "substr",
        "index",
        "split",
        "sub",
        "gsub",
        "match",
        "sprintf",
        "sin",
        "cos",
        "atan2",
        "exp",
        "log",
        "sqrt",
        "int",
        "rand",
        "srand",
        "tolower",
        "toupper",
        "system",
        "close",
        "fflush",
        "systime",
        "strftime",
    ]
)
FOREIGN = frozenset(["gensub", "asort", "asorti", "patsplit", "mktime", "strtonum", "and", "or", "xor", "lshift", "rshift", "compl"])
_TOKEN = re.compile(
    r"""(?P<space>(?:[ \t\r]|\\\n)+|\#[^\n]*)|(?P<newline>\n)|(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<string>"(?:[^"\\\n]|\\(?:.|\n))*")"""
    r"""|(?P<op>\*\*=|&&|\|\||\+\+|--|\+=|-=|\*=|/=|%=|\^=|==|<=|>=|!=|!~|>>|\*\*|[-+*/%^!><|?:~$=(){}\[\];,])"""
)
_REGEX = re.compile(r"/((?:[^/\\\[\n]|\\.|\[\^?\]?(?:[^\]\\\n]|\\.|\[:\w+:\])*\])*)/")
_ESCAPE = re.compile(r"\\(\n|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "/": "/", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": ""}


class AwkSyntaxError(Exception):
    """The token that is not understood there, and its line."""

    def __init__(self, token: str, line: int) -> None:
        super().__init__(token)
        self.token = token
        self.line = line


class Token(NamedTuple):
    kind: str
    text: str
    line: int


def unescaped(text: str) -> str:
    """Of a string; a backslash before anything else stays, as in front of the dots of dynamic expressions."""

    def value(found: re.Match[str]) -> str:
        what = found.group(1)
        if what[0] in "01234567":
            return chr(int(what, 8) & 255)
        return _ESCAPES.get(what, "\\" + what)

    return _ESCAPE.sub(value, text)


def tokens(text: str) -> list[Token]:
    """Raises AwkSyntaxError."""
    found: list[Token] = []
    at, line = 0, 1
    while at < len(text):
        before = found[-1] if found else Token("newline", "", 0)
        ends_operand = before.kind in ("number", "string", "name", "regex") or before.text in (")", "]", "$", "++", "--")
        if text[at] == "/" and (not ends_operand or (before.kind == "name" and before.text in KEYWORDS)):
            regex = _REGEX.match(text, at)
            if regex is None:
                raise AwkSyntaxError("/", line)
            found.append(Token("regex", regex.group(1).replace("\\/", "/"), line))
            at = regex.end()
            continue
        matched = _TOKEN.match(text, at)
        if matched is None:
            raise AwkSyntaxError(text[at], line)
        kind, word = str(matched.lastgroup), matched.group(0)
        at = matched.end()
        if kind == "name" and text[at : at + 1] == "(" and word not in KEYWORDS and word not in BUILTINS:
            kind = "call"
        if kind != "space":
            found.append(Token(kind, word, line))
        line += word.count("\n")
    return [*found, Token("end", "end of file", line)]
