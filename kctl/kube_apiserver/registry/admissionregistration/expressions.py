"""Compiling CEL expressions as far as accepting an object needs it: the grammar, the names that are declared, and the type of the
result where it is plain to see. Nothing is evaluated. Messages follow cel-go's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

BOOL, STRING, DYN = "bool", "string", "dyn"
OPERAND = "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
_LARGEST = 100_000
_MOST_ERRORS = 100
_MOST_TEXT = 256 * 1024
"""Characters of one expression's errors. cel-go has no such limit: it repeats a line of 16 KB for each of a hundred names."""
_LONGEST_LINE = 16384
"""Bytes of a line that is shown."""
_WIDE = re.compile(r"[^\x00-\x7f]")
_NARROW = re.compile(r"[\x00-\x7f]")
"""What cel-go marks with a wide dot (it counts the bytes of a letter), and with a narrow one."""
_DEEPEST = 80
"""cel-go stops at 250 expressions in one another; each of them is up to seven Python frames here, of a thousand."""
_TOKEN = re.compile(
    r"""(?P<space>[\t\n\f\r\ ]+|//[^\n]*)
    |(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<uint>(?:0x[0-9a-fA-F]+|\d+)[uU])
    |(?P<int>0x[0-9a-fA-F]+|\d+)
    |(?P<string>[bBrR]{0,2}(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    |(?P<name>[_a-zA-Z][_a-zA-Z0-9]*|`[^`\n]+`)
    |(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%!?:.,()\[\]{}<>])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_LEVELS = (("||",), ("&&",), ("<", "<=", ">=", ">", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"))
_LEVEL = {mark: level for level, marks in enumerate(_LEVELS) for mark in marks}
_ARITHMETIC = 3
"""The first level whose results are no booleans."""
_BINDING_MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter", "bind", "transformList", "transformMap"})
_RESULTS = {
    "has": BOOL,
    "matches": BOOL,
    "startsWith": BOOL,
    "endsWith": BOOL,
    "contains": BOOL,
    "all": BOOL,
    "exists": BOOL,
    "exists_one": BOOL,
    "existsOne": BOOL,
    "bool": BOOL,
    "isIP": BOOL,
    "isCIDR": BOOL,
    "isQuantity": BOOL,
    "isURL": BOOL,
    "size": "int",
    "int": "int",
    "uint": "uint",
    "double": "double",
    "string": STRING,
    "format": STRING,
    "join": STRING,
    "lowerAscii": STRING,
    "upperAscii": STRING,
    "trim": STRING,
    "replace": STRING,
    "substring": STRING,
}
_KNOWN = frozenset(
    {
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "dyn",
        "google",
        "optional",
        "math",
        "sets",
        "cel",
        "format",
        "base64",
        "strings",
        "regex",
        "jsonpatch",
        "lists",
        "ip",
        "cidr",
        "Object",
        "JSONPatch",
    }
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    offset: int


class _SyntaxError(Exception):
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


def problem(expression: str, declared: Iterable[str], wanted: str = DYN) -> str:
    """Why the expression does not compile; '' if it does. `wanted` is the type it has to evaluate to."""
    if len(expression) > _LARGEST:
        return f"compilation failed: expression code point size exceeds limit: size: {len(expression)}, limit {_LARGEST}"
    parser = _Parser(expression, declared)
    try:
        kind = parser.whole()
    except _SyntaxError as error:
        return f"compilation failed: {_located(expression, error.offset, str(error))}"
    if parser.undeclared:
        return f"compilation failed: {_undeclared(expression, parser.undeclared)}"
    if wanted != DYN and kind not in (wanted, DYN, wanted.partition("(")[0]):
        return f"must evaluate to {wanted} but got {kind}"
    return ""


def _undeclared(expression: str, references: Sequence[tuple[int, str]]) -> str:
    """One message for each of the first hundred, as cel-go; fewer where they get long, each with its whole line. The rest is counted."""
    shown: list[str] = []
    length = 0
    for offset, name in references[:_MOST_ERRORS]:
        if length > _MOST_TEXT:
            break
        shown.append(_located(expression, offset, f"undeclared reference to '{name}' (in container '')"))
        length += len(shown[-1])
    more = len(references) - len(shown)
    return "\n".join([*shown, f"{more} more errors were truncated"] if more else shown)


def _located(expression: str, offset: int, message: str) -> str:
    """With the line and a mark below the place, unless the line is longer than cel-go shows."""
    start, end = expression.rfind("\n", 0, offset) + 1, expression.find("\n", offset)
    column, line = offset - start, expression[start : end if end >= 0 else None].replace("\t", " ")
    text = f"ERROR: <input>:{expression.count(chr(10), 0, offset) + 1}:{column + 1}: {message}"
    if len(line.encode("utf-8", "surrogatepass")) > _LONGEST_LINE:
        return text
    below = _NARROW.sub(".", _WIDE.sub("\uff0e", line[:column]))
    mark = "\uff3e" if _WIDE.match(line, column) else "^"
    return f"{text}\n | {line}\n | {below}{mark}"


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise _SyntaxError(position, f"Syntax error: token recognition error at: '{text[position]}'")
        kind = found.lastgroup or ""
        if kind != "space":
            yield _Token("in" if found.group() == "in" else kind, found.group(), position)
        position = found.end()
    yield _Token("end", "<EOF>", len(text))


class _Parser:
    """Recursive descent; every method returns the type of what it read."""

    def __init__(self, text: str, declared: Iterable[str]) -> None:
        self.text = text
        self.scopes: list[frozenset[str]] = [frozenset(declared) | _KNOWN]
        self.undeclared: list[tuple[int, str]] = []
        self.items: list[_Token] = []
        self.index = 0
        self.depth = 0

    @property
    def next(self) -> _Token:
        return self.items[self.index]

    def take(self) -> _Token:
        token = self.items[self.index]
        self.index = min(self.index + 1, len(self.items) - 1)
        return token

    def accept(self, *marks: str) -> _Token | None:
        return self.take() if self.next.kind in ("mark", "in") and self.next.text in marks else None

    def expect(self, mark: str) -> None:
        if self.accept(mark) is None:
            raise _SyntaxError(self.next.offset, f"Syntax error: mismatched input '{self.next.text}' expecting '{mark}'")

    def whole(self) -> str:
        self.items = list(_tokens(self.text))
        kind = self.expression()
        if self.next.kind != "end":
            raise _SyntaxError(self.next.offset, f"Syntax error: extraneous input '{self.next.text}' expecting <EOF>")
        return kind

    def expression(self) -> str:
        if self.depth >= _DEEPEST:
            raise _SyntaxError(self.next.offset, f"expression recursion limit exceeded: {_DEEPEST}")
        self.depth += 1
        kind = self.binary()
        if self.accept("?") is not None:
            first = self.binary()
            self.expect(":")
            second = self.expression()
            kind = first if first == second else DYN
        self.depth -= 1
        return kind

    def binary(self) -> str:
        """Operands and operators, all from left to right; what binds less waits on a stack, for recursion would multiply the depth."""
        kinds, waiting = [self.unary()], list[int]()
        while True:
            level = _LEVEL.get(self.next.text, -1) if self.next.kind in ("mark", "in") else -1
            while waiting and waiting[-1] >= level:
                right, done = kinds.pop(), waiting.pop()
                kinds[-1] = BOOL if done < _ARITHMETIC else right if right == kinds[-1] else DYN
            if level < 0:
                return kinds[0]
            self.take()
            waiting.append(level)
            kinds.append(self.unary())

    def unary(self) -> str:
        outermost = self.next.text
        while self.accept("!", "-") is not None:
            pass
        kind = self.member()
        return BOOL if outermost == "!" else kind

    def member(self) -> str:
        kind = self.primary()
        while True:
            if self.accept(".") is not None:
                kind = self.selection()
            elif self.accept("[") is not None:
                self.accept("?")
                self.expression()
                self.expect("]")
                kind = DYN
            elif self.next.text == "{" and self.items[self.index - 1].kind == "name":
                self.entries("}", named=True)
                kind = DYN
            else:
                return kind

    def selection(self) -> str:
        self.accept("?")
        if self.next.kind not in ("name", "in"):
            raise _SyntaxError(self.next.offset, "Syntax error: no viable alternative at input '.'")
        name = self.take().text
        return self.call(name) if self.next.text == "(" and self.next.kind == "mark" else DYN

    def call(self, name: str) -> str:
        self.expect("(")
        bound = self.bound_names() if name in _BINDING_MACROS else frozenset()
        self.scopes.append(self.scopes[-1] | bound)
        while self.accept(")") is None:
            self.expression()
            if self.next.text != ")":
                self.expect(",")
        self.scopes.pop()
        return _RESULTS.get(name, DYN)

    def bound_names(self) -> frozenset[str]:
        """The variables a macro such as list.all(x, ...) introduces: its leading arguments that are bare names."""
        found, index = set(), self.index
        while self.items[index].kind == "name" and self.items[index + 1].text == ",":
            found.add(self.items[index].text)
            index += 2
        return frozenset(found)

    def primary(self) -> str:
        token = self.take()
        match token.kind:
            case "int" | "uint" | "string":
                return "bytes" if token.kind == "string" and "b" in token.text[:2].lower().partition(token.text[-1])[0] else token.kind
            case "float":
                return "double"
            case "name":
                return self.name(token)
        if token.kind == "mark":
            if token.text == "(":
                kind = self.expression()
                self.expect(")")
                return kind
            if token.text in "[{":
                self.index -= 1
                self.entries("]" if token.text == "[" else "}")
                return "list" if token.text == "[" else "map"
            if token.text == ".":
                return self.selection()
        raise _SyntaxError(token.offset, f"Syntax error: mismatched input '{token.text}' {OPERAND}")

    def name(self, token: _Token) -> str:
        if token.text in ("true", "false"):
            return BOOL
        if token.text == "null":
            return "null_type"
        if self.next.kind == "mark" and self.next.text == "(":
            return self.call(token.text)
        if token.text not in self.scopes[-1]:
            self.undeclared.append((token.offset, token.text))
        return DYN

    def entries(self, end: str, *, named: bool = False) -> None:
        """[a, b], {k: v}, or (named) the fields of Type{field: v}."""
        self.take()
        while self.accept(end) is None:
            self.accept("?")
            if named:
                self.take()
            else:
                self.expression()
            if end == "}":
                self.expect(":")
                self.expression()
            if self.next.text != end:
                self.expect(",")
