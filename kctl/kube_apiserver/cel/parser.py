"""CEL's grammar: text to syntax tree, macros included. Messages follow cel-go's."""

from __future__ import annotations

import re
from collections.abc import Callable

from kctl.kube_apiserver.cel.ast import Call, Ident, ListNode, Literal, Macro, MapNode, Node, ObjectNode, Select, dotted

LARGEST = 100_000
_LONGEST_LINE = 16384
"""Bytes of a line that is shown with what is wrong in it (cel-go's maxSnippetLength)."""
_MOST_DIGITS = 400
"""Of a whole number; leading zeros count, too. No valid one has more than twenty others."""
_WIDE = re.compile(r"[^\x00-\x7f]")
_NARROW = re.compile(r"[\x00-\x7f]")
"""What cel-go marks with a wide dot (it counts the bytes of a letter), and with a narrow one."""
DEEPEST = 80
"""cel-go stops at 250 expressions in one another; each of them is several Python frames here."""
LONGEST = 200
"""Of a chain of operators or selections, each of which is nested in the one after it."""
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
_OPERAND = "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
_LEVELS = (("||",), ("&&",), ("<", "<=", ">=", ">", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"))
_LEVEL = {mark: level for level, marks in enumerate(_LEVELS) for mark in marks}
_LOGICAL = 1
"""The last level of those whose operators may be nested in any way."""
_FUNCTION = {"in": "@in"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_COMPREHENSIONS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
_TWO_VARIABLES = frozenset({"all", "exists", "exists_one", "existsOne", "transformList", "transformMap"})


class CelSyntaxError(Exception):
    """`offset` is -1 for what is wrong with the whole."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


def located(expression: str, offset: int, message: str) -> str:
    """A message with the line it is about and a mark below the place, as cel-go shows them; without, where the line is a long one."""
    start, end = expression.rfind("\n", 0, offset) + 1, expression.find("\n", offset)
    column, line = offset - start, expression[start : end if end >= 0 else None].replace("\t", " ")
    text = f"ERROR: <input>:{expression.count(chr(10), 0, offset) + 1}:{column + 1}: {message}"
    if len(line.encode("utf-8", "surrogatepass")) > _LONGEST_LINE:
        return text
    below = _NARROW.sub(".", _WIDE.sub("\uff0e", line[:column]))
    mark = "\uff3e" if _WIDE.match(line, column) else "^"
    return f"{text}\n | {line}\n | {below}{mark}"


def parse(expression: str) -> Node:
    """Raises CelSyntaxError."""
    if len(expression) > LARGEST:
        raise CelSyntaxError(-1, f"expression code point size exceeds limit: size: {len(expression)}, limit {LARGEST}")
    return _Parser(expression).whole()


class _Token:
    __slots__ = ("kind", "offset", "text")

    def __init__(self, kind: str, text: str, offset: int) -> None:
        self.kind = kind
        self.text = text
        self.offset = offset


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise CelSyntaxError(position, f"Syntax error: token recognition error at: '{text[position]}'")
        if match.lastgroup != "space":
            found.append(_Token("in" if match.group() == "in" else match.lastgroup or "", match.group(), position))
        position = match.end()
    return [*found, _Token("end", "<EOF>", len(text))]


class _Parser:
    def __init__(self, text: str) -> None:
        self._items = _tokens(text)
        self._index = 0
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._items[self._index]

    def _take(self) -> _Token:
        token = self._items[self._index]
        self._index = min(self._index + 1, len(self._items) - 1)
        return token

    def _accept(self, *marks: str) -> _Token | None:
        return self._take() if self._next.kind in ("mark", "in") and self._next.text in marks else None

    def _expect(self, mark: str) -> None:
        if self._accept(mark) is None:
            raise CelSyntaxError(self._next.offset, f"Syntax error: mismatched input '{self._next.text}' expecting '{mark}'")

    def whole(self) -> Node:
        node = self._expression()
        if self._next.kind != "end":
            raise CelSyntaxError(self._next.offset, f"Syntax error: extraneous input '{self._next.text}' expecting <EOF>")
        return node

    def _expression(self) -> Node:
        if self._depth >= DEEPEST:
            raise CelSyntaxError(self._next.offset, f"expression recursion limit exceeded: {DEEPEST}")
        self._depth += 1
        node = self._binary()
        token = self._accept("?")
        if token is not None:
            first = self._binary()
            self._expect(":")
            node = Call(token.offset, "_?_:_", None, [node, first, self._expression()])
        self._depth -= 1
        return node

    def _binary(self) -> Node:
        """Operands and operators from left to right; what binds less waits on a stack, for recursion would multiply the depth."""
        operands, waiting, length = [self._unary()], list[tuple[int, _Token]](), 0
        while True:
            level = _LEVEL.get(self._next.text, -1) if self._next.kind in ("mark", "in") else -1
            while waiting and waiting[-1][0] >= level:
                right, (closed, token) = operands.pop(), waiting.pop()
                function = _FUNCTION.get(token.text, f"_{token.text}_")
                operands[-1] = Call(token.offset, function, None, [operands[-1], right])
                if closed <= _LOGICAL and closed != level:
                    operands[-1] = _balanced(operands[-1], function)
            if level < 0:
                return operands[0]
            length = length + 1 if level > _LOGICAL else 0
            self._bound(length)
            waiting.append((level, self._take()))
            operands.append(self._unary())

    def _bound(self, length: int) -> None:
        if length > LONGEST:
            raise CelSyntaxError(self._next.offset, f"expression recursion limit exceeded: {LONGEST}")

    def _unary(self) -> Node:
        marks = []
        while (token := self._accept("!", "-")) is not None:
            marks.append(token)
            self._bound(len(marks))
        if marks and marks[-1].text == "-" and self._next.kind in ("int", "float"):
            token = marks.pop()
            node = self._member(self._number(self._take(), negative=True, offset=token.offset))
        else:
            node = self._member(self._primary())
        for token in reversed(marks):
            node = Call(token.offset, "!_" if token.text == "!" else "-_", None, [node])
        return node

    def _member(self, node: Node) -> Node:
        length = 0
        while True:
            length += 1
            self._bound(length)
            token = self._accept(".")
            if token is not None:
                node = self._selection(node, token.offset)
                continue
            if self._next.kind == "mark" and self._next.text == "{" and dotted(node):
                node = self._object(dotted(node), self._take())
                continue
            token = self._accept("[")
            if token is None:
                return node
            optional = self._accept("?") is not None
            index = self._expression()
            self._expect("]")
            node = Call(token.offset, "_[?_]" if optional else "_[_]", None, [node, index])

    def _selection(self, operand: Node, offset: int) -> Node:
        optional = self._accept("?") is not None
        if self._next.kind not in ("name", "in"):
            raise CelSyntaxError(self._next.offset, "Syntax error: no viable alternative at input '.'")
        token = self._take()
        if self._next.kind == "mark" and self._next.text == "(" and not optional:
            return self._method(operand, token)
        return Select(offset, operand, token.text.strip("`"), False, optional)

    def _method(self, operand: Node, name: _Token) -> Node:
        opened = self._take()
        args = self._arguments(")")
        macro = _macro(operand, name, args, opened.offset)
        return macro if macro is not None else Call(opened.offset, name.text, operand, args)

    def _arguments(self, end: str) -> list[Node]:
        args: list[Node] = []
        while self._accept(end) is None:
            args.append(self._expression())
            if self._next.text != end or self._next.kind != "mark":
                self._expect(",")
        return args

    def _primary(self) -> Node:
        token = self._take()
        match token.kind:
            case "int" | "uint" | "float":
                return self._number(token)
            case "string":
                return _text(token)
            case "name":
                return self._name(token)
        if token.kind == "mark":
            if token.text == "(":
                node = self._expression()
                self._expect(")")
                return node
            if token.text == "[":
                return self._list(token)
            if token.text == "{":
                return self._map(token)
            if token.text == "." and self._next.kind == "name":
                return self._name(self._take())
        raise CelSyntaxError(token.offset, f"Syntax error: mismatched input '{token.text}' {_OPERAND}")

    def _number(self, token: _Token, *, negative: bool = False, offset: int | None = None) -> Node:
        at, sign = token.offset if offset is None else offset, -1 if negative else 1
        if token.kind == "float":
            number = sign * float(token.text)
            if number in (float("inf"), float("-inf")):
                raise CelSyntaxError(at, "invalid double literal")
            return Literal(at, number, "double")
        digits = token.text.rstrip("uU") if token.kind == "uint" else token.text
        value = sign * (int(digits, 0 if digits.startswith("0x") else 10) if len(digits) <= _MOST_DIGITS else 2**64)
        if token.kind == "uint":
            if value >= 2**64:
                raise CelSyntaxError(at, "invalid uint literal")
            return Literal(at, value, "uint")
        if not -(2**63) <= value < 2**63:
            raise CelSyntaxError(at, "invalid int literal")
        return Literal(at, value, "int")

    def _name(self, token: _Token) -> Node:
        if token.text in ("true", "false"):
            return Literal(token.offset, token.text == "true", "bool")
        if token.text == "null":
            return Literal(token.offset, None, "null_type")
        if token.text in RESERVED:
            raise CelSyntaxError(token.offset, f"reserved identifier: {token.text}")
        if self._next.kind == "mark" and self._next.text == "(":
            opened = self._take()
            args = self._arguments(")")
            if token.text == "has":
                return _has(args, opened.offset)
            return Call(opened.offset, token.text, None, args)
        return Ident(token.offset, token.text)

    def _list(self, opened: _Token) -> Node:
        elements: list[Node] = []
        optional = set()
        while self._accept("]") is None:
            if self._accept("?") is not None:
                optional.add(len(elements))
            elements.append(self._expression())
            if self._next.text != "]":
                self._expect(",")
        return ListNode(opened.offset, elements, frozenset(optional))

    def _map(self, opened: _Token) -> Node:
        entries: list[tuple[Node, Node, bool]] = []
        while self._accept("}") is None:
            optional = self._accept("?") is not None
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression(), optional))
            if self._next.text != "}":
                self._expect(",")
        return MapNode(opened.offset, entries)

    def _object(self, name: str, opened: _Token) -> Node:
        fields: list[tuple[str, Node, bool, int]] = []
        while self._accept("}") is None:
            optional = self._accept("?") is not None
            if self._next.kind not in ("name", "in"):
                why = f"Syntax error: mismatched input '{self._next.text}' expecting {{'}}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}}"
                raise CelSyntaxError(self._next.offset, why)
            field, colon = self._take().text.strip("`"), self._next.offset
            self._expect(":")
            fields.append((field, self._expression(), optional, colon))
            if self._next.text != "}":
                self._expect(",")
        return ObjectNode(opened.offset, name, fields)


def _balanced(node: Node, function: str) -> Node:
    """A long chain of && or ||, which is nested to the left, as a tree of little depth, as cel-go makes it."""
    terms: list[Node] = []
    offsets: list[int] = []
    while isinstance(node, Call) and node.function == function:
        terms.append(node.args[1])
        offsets.append(node.offset)
        node = node.args[0]
    terms.append(node)
    terms.reverse()
    offsets.reverse()

    def tree(low: int, high: int) -> Node:
        middle = (low + high + 1) // 2
        left = terms[middle] if middle == low else tree(low, middle - 1)
        right = terms[middle + 1] if middle == high else tree(middle + 1, high)
        return Call(offsets[middle], function, None, [left, right])

    return tree(0, len(offsets) - 1)


def _has(args: list[Node], offset: int) -> Node:
    if len(args) != 1 or not isinstance(args[0], Select):
        raise CelSyntaxError(args[0].offset if args else offset, "invalid argument to has() macro")
    select = args[0]
    return Select(select.offset, select.operand, select.field, True)


def _macro(operand: Node, name: _Token, args: list[Node], offset: int) -> Node | None:
    """None where it is a plain method."""
    kind = name.text
    if isinstance(operand, Ident) and operand.name == "cel" and kind == "bind" and len(args) == 3:
        return Macro(offset, "bind", args[1], (_variable(args[0], kind),), [args[2]])
    if kind in ("optMap", "optFlatMap") and len(args) == 2:
        return Macro(offset, kind, operand, (_variable(args[0], kind),), [args[1]])
    if kind in _COMPREHENSIONS and (len(args) == 2 or (kind == "map" and len(args) == 3)):
        return Macro(offset, _ALIASES.get(kind, kind), operand, (_variable(args[0], kind),), args[1:])
    if kind in _TWO_VARIABLES and (len(args) == 3 or (len(args) == 4 and kind.startswith("transform"))):
        names = (_variable(args[0], kind), _variable(args[1], kind))
        return Macro(offset, _ALIASES.get(kind, kind), operand, names, args[2:])
    return None


_ALIASES = {"existsOne": "exists_one"}


def _variable(node: Node, macro: str) -> str:
    if not isinstance(node, Ident):
        raise CelSyntaxError(
            node.offset, f"argument must be a simple name in {macro}()" if macro == "bind" else "argument must be a simple name"
        )
    return node.name


def _text(token: _Token) -> Node:
    prefix = token.text[: re.search(r"['\"]", token.text).start()].lower()  # type: ignore[union-attr]
    body = token.text[len(prefix) :]
    quotes = 3 if body[:3] in ('"""', "'''") else 1
    inner = body[quotes:-quotes]
    if "b" not in prefix:
        return Literal(token.offset, inner if "r" in prefix else _unescaped(inner, token.offset, chr), "string")
    if "r" in prefix:
        return Literal(token.offset, inner.encode(), "bytes")
    return Literal(token.offset, _unescaped(inner, token.offset, chr).encode("latin-1", "surrogatepass"), "bytes")


def _unescaped(text: str, offset: int, character: Callable[[int], str]) -> str:
    if "\\" not in text:
        return text

    def one(found: re.Match[str]) -> str:
        hexadecimal = found.group(1) or found.group(2) or found.group(3) or found.group(4)
        if hexadecimal:
            code = int(hexadecimal, 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise CelSyntaxError(offset, "unable to unescape string")
            return character(code)
        if found.group(5):
            return character(int(found.group(5), 8))
        letter = found.group(6)
        if letter in "\\'\"`?":
            return letter
        if letter not in _PLAIN:
            raise CelSyntaxError(offset, "unable to unescape string")
        return _PLAIN[letter]

    return _ESCAPE.sub(one, text)
