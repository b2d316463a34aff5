"""Go's text/template over JSON data, as `-o go-template` needs it.

Actions: pipelines, variables, if/else, range/else, with/else, break, continue, define, template, block, comments and trim
markers; the built-in functions and kubectl's base64decode and exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kctl.printers.go_template_functions import FUNCTIONS, Break, Continue, GoInt, TemplateError, show, truth
from kctl.printers.go_template_parser import (
    Chain,
    Command,
    Field,
    Function,
    If,
    Jump,
    LiteralValue,
    Node,
    Output,
    Parsed,
    Pipeline,
    Range,
    Text,
    Use,
    Variable,
    With,
    parse_template,
)

__all__ = ["GoTemplate", "TemplateError", "parse"]


def parse(text: str) -> GoTemplate:
    """Raises TemplateError."""
    return GoTemplate(parse_template(text, FUNCTIONS))


class GoTemplate:
    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed

    def render(self, data: Any, *, allow_missing_keys: bool = True) -> str:
        run = _Run(self._parsed, allow_missing_keys)
        return "".join(run.nodes(self._parsed.nodes, data, {"$": data}))


class _Missing:
    """The value of a key that a map does not have."""


MISSING = _Missing()


class _Run:
    def __init__(self, parsed: Parsed, allow_missing: bool) -> None:
        self.parsed = parsed
        self.allow_missing = allow_missing
        self.current: Node | None = None

    def nodes(self, nodes: Sequence[Node], dot: Any, variables: dict[str, Any]) -> Iterator[str]:
        """Variables declared in a block end with it; those set with `=` live on in the dict they belong to."""
        for node in nodes:
            match node:
                case Text(text):
                    yield text
                case Output(pipeline):
                    value = self.pipeline(pipeline, dot, variables)
                    if not pipeline.variables:
                        yield "<no value>" if value is MISSING else show(value, top=True)
                case If(pipeline, then, otherwise):
                    scope = _Scope(variables)
                    value = self.pipeline(pipeline, dot, scope)
                    yield from self.nodes(then if truth(_plain(value)) else otherwise, dot, scope)
                case With(pipeline, then, otherwise):
                    scope = _Scope(variables)
                    value = _plain(self.pipeline(pipeline, dot, scope))
                    if truth(value):
                        yield from self.nodes(then, value, scope)
                    else:
                        yield from self.nodes(otherwise, dot, scope)
                case Range():
                    yield from self.range(node, dot, variables)
                case Use(name, pipeline):
                    inner = self.parsed.definitions.get(name)
                    if inner is None:
                        raise TemplateError(
                            f'{node.position}: executing "output" at <{{{{template "{name}"}}}}>: template "{name}" not defined'
                        )
                    value = _plain(self.pipeline(pipeline, dot, variables)) if pipeline else None
                    yield from self.nodes(inner, value, {"$": value})
                case Jump(name):
                    raise Break if name == "break" else Continue

    def range(self, node: Range, dot: Any, variables: dict[str, Any]) -> Iterator[str]:
        value = _plain(
            self.pipeline(Pipeline((), False, node.pipeline.commands, node.pipeline.text, node.pipeline.position), dot, variables)
        )
        if isinstance(value, dict):
            pairs: list[tuple[Any, Any]] = [(key, value[key]) for key in sorted(value)]
        elif isinstance(value, list):
            pairs = [(GoInt(index), item) for index, item in enumerate(value)]
        elif isinstance(value, int) and not isinstance(value, bool):
            pairs = [(GoInt(index), GoInt(index)) for index in range(value)]
        elif value is None:
            pairs = []
        else:
            raise self.failure(node.pipeline, f"range can't iterate over {show(value)}")
        if not pairs:
            yield from self.nodes(node.otherwise, dot, _Scope(variables))
        names = node.pipeline.variables
        for key, item in pairs:
            scope = _Scope(variables)
            if len(names) == 1:
                dict.__setitem__(scope, names[0], item)
            elif len(names) == 2:
                dict.__setitem__(scope, names[0], key)
                dict.__setitem__(scope, names[1], item)
            try:
                yield from self.nodes(node.body, item, scope)
            except Break:
                break
            except Continue:
                continue

    def failure(self, pipeline: Pipeline, why: str) -> TemplateError:
        return TemplateError(f'{pipeline.position}: executing "output" at <{pipeline.text}>: {why}')

    def pipeline(self, pipeline: Pipeline, dot: Any, variables: dict[str, Any]) -> Any:
        value: Any = None
        for index, command in enumerate(pipeline.commands):
            try:
                value = self.command(command, dot, variables, (value,) if index else ())
            except TemplateError as error:
                if error.located:
                    raise
                raise TemplateError(f'{pipeline.position}: executing "output" at <{command.text}>: {error}', located=True) from None
        for name in pipeline.variables:
            if pipeline.declares:
                dict.__setitem__(variables, name, value)
            else:
                variables[name] = value
        return value

    def command(self, command: Command, dot: Any, variables: dict[str, Any], last: tuple[Any, ...]) -> Any:
        first, *rest = command.operands
        if isinstance(first, Function):
            if first.name in ("and", "or"):
                return self._lazy(first.name, [*rest], dot, variables, last)
            arguments = [_plain(self.operand(operand, dot, variables)) for operand in rest]
            return FUNCTIONS[first.name](*arguments, *map(_plain, last))
        if rest or last:
            raise TemplateError("can't give argument to non-function " + command.text.split()[0])
        return self.operand(first, dot, variables)

    def _lazy(self, name: str, operands: list[Any], dot: Any, variables: dict[str, Any], last: tuple[Any, ...]) -> Any:
        value: Any = None
        for operand in operands:
            value = self.operand(operand, dot, variables)
            if truth(_plain(value)) == (name == "or"):
                return value
        return last[0] if last else value

    def operand(self, operand: Any, dot: Any, variables: dict[str, Any]) -> Any:
        match operand:
            case LiteralValue(value):
                return value
            case Field(path):
                return self.fields(dot, path)
            case Variable(name, path):
                if name not in variables:
                    raise TemplateError(f"undefined variable: {name}")
                return self.fields(variables[name], path)
            case Chain(pipeline, path):
                return self.fields(self.pipeline(pipeline, dot, variables), path)
            case Function():
                return self.command(Command((operand,), operand.name), dot, variables, ())
        raise TemplateError(f"unexpected operand {operand}")

    def fields(self, value: Any, path: Sequence[str]) -> Any:
        for name in path:
            if value is MISSING or value is None:
                raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
            if not isinstance(value, dict):
                kind = {str: "string", bool: "bool", list: "[]interface {}"}.get(type(value), "float64")
                raise TemplateError(f"can't evaluate field {name} in type {'interface {}' if kind == 'list' else kind}")
            if name in value:
                value = value[name]
            elif self.allow_missing:
                value = MISSING
            else:
                raise TemplateError(f'map has no entry for key "{name}"')
        return value


class _Scope(dict[str, Any]):
    """Variables of a block over those around it: `=` changes the outer one where there is one."""

    def __init__(self, outer: dict[str, Any]) -> None:
        super().__init__()
        self.outer = outer

    def __missing__(self, key: str) -> Any:
        return self.outer[key]

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or key in self.outer

    def __setitem__(self, key: str, value: Any) -> None:
        if dict.__contains__(self, key) or key not in self.outer:
            dict.__setitem__(self, key, value)
        else:
            self.outer[key] = value


def _plain(value: Any) -> Any:
    return None if value is MISSING else value
