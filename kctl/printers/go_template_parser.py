"""Reads a Go template into nodes. Error wording follows text/template/parse where users meet it."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from kctl.apimachinery.jsonpath_parser import unquote
from kctl.printers.go_template_functions import GoInt, TemplateError


class LiteralValue(NamedTuple):
    value: Any


class Field(NamedTuple):
    path: tuple[str, ...]


class Variable(NamedTuple):
    name: str
    path: tuple[str, ...]


class Function(NamedTuple):
    name: str


class Command(NamedTuple):
    operands: tuple[Any, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`variables` are set to the value; `declares` says whether by `:=`. `position` is line:column for messages."""

    variables: tuple[str, ...]
    declares: bool
    commands: Sequence[Command]
    text: str
    position: str


class Chain(NamedTuple):
    pipeline: Pipeline
    path: tuple[str, ...]


class Text(NamedTuple):
    text: str


class Output(NamedTuple):
    pipeline: Pipeline


class If(NamedTuple):
    pipeline: Pipeline
    then: Sequence[Node]
    otherwise: Sequence[Node]


class With(NamedTuple):
    pipeline: Pipeline
    then: Sequence[Node]
    otherwise: Sequence[Node]


class Range(NamedTuple):
    pipeline: Pipeline
    body: Sequence[Node]
    otherwise: Sequence[Node]


class Use(NamedTuple):
    name: str
    pipeline: Pipeline | None
    position: str


class Jump(NamedTuple):
    name: str


Node: TypeAlias = Text | Output | If | With | Range | Use | Jump


@dataclass(slots=True)
class Parsed:
    nodes: Sequence[Node] = ()
    definitions: dict[str, Sequence[Node]] = field(default_factory=dict)


class _Action(NamedTuple):
    text: str
    position: str


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<char>'(?:[^'\\]|\\.)+')|(?P<number>[+-]?\d[\w.]*)|
      (?P<variable>\$\w*(?:\.\w+)*)|(?P<field>(?:\.[\w]+)+|\.)|(?P<word>\w+)|(?P<assign>:=|=)|(?P<mark>[|(),])
    )""",
    re.VERBOSE,
)


_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?=[\s.,|:()]|$)")
"""A word with what may come after one, a field (`range.items`) or a parenthesis too."""


def _first_word(action: str) -> str:
    found = _IDENTIFIER.match(action)
    if found is not None:
        return found.group()
    return action.split(None, 1)[0] if action else ""


def parse_template(text: str, functions: Container[str]) -> Parsed:
    parser = _Parser(_split(text), functions)
    parser.parsed.nodes, end = parser.block()
    if end:
        raise TemplateError(f"{parser.position}: unexpected {{{{{end.split()[0]}}}}}")
    return parser.parsed


def _split(text: str) -> list[str | _Action]:
    """Text and actions, trim markers applied."""
    parts: list[str | _Action] = []
    position, trim = 0, False
    while position < len(text):
        start = text.find("{{", position)
        literal = text[position:] if start < 0 else text[position:start]
        if trim:
            literal = literal.lstrip()
        if start < 0:
            parts.append(literal)
            break
        begin, left = start + 2, False
        if re.match(r"-[ \t\r\n]", text[begin:]):
            left, begin = True, begin + 1
        end = _close(text, begin)
        inner = text[begin:end]
        trim = bool(re.search(r"[ \t\r\n]-$", inner)) or inner == "-"
        inner = inner[:-1] if trim else inner
        parts.append(literal.rstrip() if left else literal)
        if not inner.strip().startswith("/*"):
            line = text.count("\n", 0, start) + 1
            column = begin - (text.rfind("\n", 0, start) + 1)
            parts.append(_Action(inner.strip(), f"{line}:{column}"))
        position = end + 2
    return [part for part in parts if part != ""]


def _close(text: str, begin: int) -> int:
    if text[begin:].lstrip().startswith("/*"):
        end = text.find("*/", begin)
        closing = text.find("}}", end)
        if end >= 0 and closing >= 0:
            return closing
        raise TemplateError("1: unclosed comment")
    position, quote = begin, ""
    while position < len(text):
        letter = text[position]
        if quote:
            if letter == "\\" and quote != "`":
                position += 1
            elif letter == quote:
                quote = ""
        elif letter in "\"'`":
            quote = letter
        elif text.startswith("}}", position):
            return position
        position += 1
    line = text.count("\n", 0, begin) + 1
    raise TemplateError(f"{line}: unterminated quoted string" if quote else f"{line}: unclosed action")


class _Parser:
    def __init__(self, parts: Sequence[str | _Action], functions: Container[str]) -> None:
        self.parts = list(parts)
        self.index = 0
        self.functions = functions
        self.position = "1"
        self.parsed = Parsed()

    def block(self) -> tuple[list[Node], str]:
        """Nodes up to an `end` or `else`, which is given back; '' at the end of the template."""
        nodes: list[Node] = []
        while self.index < len(self.parts):
            part = self.parts[self.index]
            self.index += 1
            if isinstance(part, str):
                nodes.append(Text(part))
                continue
            self.position = part.position.split(":")[0]
            word = _first_word(part.text)
            if word in ("end", "else"):
                return nodes, part.text
            node = self._action(part, word)
            if node is not None:
                nodes.append(node)
        return nodes, ""

    def _action(self, part: _Action, word: str) -> Node | None:
        rest = part.text[len(word) :].strip()
        match word:
            case "":
                raise TemplateError(f"{self.position}: missing value for command")
            case "if" | "with" | "range":
                return self._control(word, rest, part.position)
            case "break" | "continue":
                return Jump(word)
            case "define" | "block":
                return self._define(word, rest, part.position)
            case "template":
                name, _, pipeline = rest.partition(" ")
                return Use(
                    name.strip('"`'),
                    self.pipeline(pipeline, part.position) if pipeline.strip() else None,
                    part.position,
                )
        return Output(self.pipeline(part.text, part.position))

    def _control(self, word: str, rest: str, position: str) -> Node:
        pipeline = self.pipeline(rest, position, in_range=word == "range")
        then, end = self.block()
        otherwise: list[Node] = []
        if end.startswith("else"):
            more = end[4:].strip()
            if more:
                kind = _first_word(more)
                otherwise = [self._control(kind, more[len(kind) :].strip(), position)]
                end = "end"
            else:
                otherwise, end = self.block()
        if end != "end":
            raise TemplateError(f"{self.position}: unexpected EOF")
        if word == "range":
            return Range(pipeline, then, otherwise)
        return With(pipeline, then, otherwise) if word == "with" else If(pipeline, then, otherwise)

    def _define(self, word: str, rest: str, position: str) -> Node | None:
        name, _, pipeline = rest.partition(" ")
        body, end = self.block()
        if end != "end":
            raise TemplateError(f"{self.position}: unexpected EOF")
        self.parsed.definitions[name.strip('"`')] = body
        if word == "define":
            return None
        return Use(name.strip('"`'), self.pipeline(pipeline, position), position)

    def pipeline(self, text: str, position: str, *, in_range: bool = False) -> Pipeline:
        tokens = self._tokens(text)
        names, declares = self._assignment(tokens)
        commands, rest = self._commands(tokens)
        if rest:
            raise TemplateError(f"{self.position}: unexpected {rest[0][1]!r} in command".replace("'", '"'))
        if not commands:
            raise TemplateError(f"{self.position}: missing value for {'range' if in_range else 'command'}")
        return Pipeline(names, declares, commands, text, position)

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                letter = text[position:].lstrip()[0]
                raise TemplateError(f"{self.position}: unexpected {letter!r} in operand".replace("'", '"'))
            spaced = match.start(match.lastgroup) > position or position == 0
            kind = match.lastgroup
            if kind == "field" and not spaced and tokens and tokens[-1][1] == ")":
                kind = "chain"
            tokens.append((kind, match.group(match.lastgroup)))
            position = match.end()
        return tokens

    def _assignment(self, tokens: list[tuple[str, str]]) -> tuple[tuple[str, ...], bool]:
        for count in (1, 3):
            if len(tokens) > count and tokens[count][0] == "assign" and all(kind == "variable" for kind, _ in tokens[0:count:2]):
                names = tuple(text for _, text in tokens[0:count:2])
                declares = tokens[count][1] == ":="
                del tokens[: count + 1]
                return names, declares
        return (), False

    def _commands(self, tokens: list[tuple[str, str]]) -> tuple[list[Command], list[tuple[str, str]]]:
        commands: list[Command] = []
        operands: list[Any] = []
        words: list[str] = []
        while tokens:
            kind, text = tokens[0]
            if text == ")" and kind == "mark":
                break
            tokens.pop(0)
            if kind == "mark" and text == "|":
                if not operands:
                    raise TemplateError(f"{self.position}: missing value for command")
                commands.append(Command(tuple(operands), " ".join(words)))
                operands, words = [], []
            elif kind == "mark" and text == "(":
                operands.append(self._parenthesised(tokens))
                words.append("(...)")
            else:
                operands.append(self._operand(kind, text))
                words.append(text)
        if operands:
            commands.append(Command(tuple(operands), " ".join(words)))
        return commands, tokens

    def _parenthesised(self, tokens: list[tuple[str, str]]) -> Chain:
        names, declares = self._assignment(tokens)
        commands, rest = self._commands(tokens)
        if not rest or not commands:
            raise TemplateError(f"{self.position}: unclosed left paren")
        rest.pop(0)
        path: tuple[str, ...] = ()
        if rest and rest[0][0] == "chain":
            path = tuple(rest.pop(0)[1].split(".")[1:])
        return Chain(Pipeline(names, declares, commands, "(...)", self.position), path)

    def _operand(self, kind: str, text: str) -> Any:
        match kind:
            case "string":
                return LiteralValue(text[1:-1] if text[0] == "`" else unquote(text[1:-1]))
            case "char":
                return LiteralValue(GoInt(ord(unquote(text[1:-1]))))
            case "number":
                return LiteralValue(_number(text, self.position))
            case "field" | "chain":
                return Field(tuple(text.split(".")[1:]) if text != "." else ())
            case "variable":
                name, *path = text.split(".")
                return Variable(name, tuple(path))
            case "word" if text in ("true", "false"):
                return LiteralValue(text == "true")
            case "word" if text == "nil":
                return LiteralValue(None)
            case "word" if text in self.functions:
                return Function(text)
            case "word":
                raise TemplateError(f'{self.position}: function "{text}" not defined')
        raise TemplateError(f'{self.position}: unexpected "{text}" in operand')


def _number(text: str, position: str) -> Any:
    try:
        return GoInt(int(text, 0))
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise TemplateError(f'{position}: bad number syntax: "{text}"') from None
