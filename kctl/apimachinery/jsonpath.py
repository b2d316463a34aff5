"""kubectl's JSONPath templates: {.items[*].metadata.name}, ranges, filters, slices, unions, recursive descent, quoted text.

A template is text with expressions in braces. `parse` makes a JSONPath once; `find` gives the values (one list for each
expression), `render` the text kubectl prints. Semantics and error wording follow k8s.io/client-go/util/jsonpath.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

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
from kctl.apimachinery.jsonpath_parser import parse_template

__all__ = ["JSONPath", "JSONPathError", "parse", "relaxed", "text_of"]


def parse(template: str, *, allow_missing_keys: bool = True) -> JSONPath:
    """Raises JSONPathError."""
    return JSONPath(parse_template(template), allow_missing_keys)


def relaxed(expression: str) -> str:
    """A custom column's or --sort-by's path in its full form: `metadata.name`, `.metadata.name` and `{.metadata.name}`
    all mean the last (get.RelaxedJSONPathExpression). Raises JSONPathError."""
    if not expression:
        return expression
    body = expression
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1]
    elif "{" in body or "}" in body:
        raise JSONPathError("unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'")
    return "{" + ("" if body.startswith(".") else ".") + body + "}"


@dataclass(slots=True)
class JSONPath:
    template: NodeList
    allow_missing_keys: bool = True

    def find(self, data: Any) -> list[list[Any]]:
        """The values of each expression, in order; text counts as one value."""
        return list(_Run(data, self.allow_missing_keys).results(self.template.nodes, data))

    def render(self, data: Any) -> str:
        return "".join(" ".join(text_of(value) for value in values) for values in self.find(data))


class _Run:
    """One evaluation. Ranges nest: the nodes between {range} and {end} run once for each value."""

    def __init__(self, root: Any, allow_missing: bool) -> None:
        self.root = root
        self.allow_missing = allow_missing

    def results(self, nodes: Sequence[Node], current: Any) -> Iterator[list[Any]]:
        index = 0
        while index < len(nodes):
            node = nodes[index]
            if isinstance(node, NodeList) and node.starts_range:
                end = _end_of_range(nodes, index)
                for value in self.values(node.nodes[1:], [current]):
                    yield from self.results(nodes[index + 1 : end], value)
                index = end
            elif isinstance(node, NodeList):
                if node.nodes and not node.ends_range:
                    yield self.values(node.nodes, [current])
            else:
                yield self.values([node], [current])
            index += 1

    def values(self, nodes: Sequence[Node], current: list[Any]) -> list[Any]:
        for node in nodes:
            current = self.step(node, current)
        return current

    def step(self, node: Node, current: list[Any]) -> list[Any]:
        match node:
            case Text(value) | Literal(value):
                return [value]
            case Field(name):
                return self._field(name, current)
            case Array():
                return _array(node, current)
            case Wildcard():
                return [inner for value in current for inner in _members(value)]
            case Recursive():
                return list(_recursive(current))
            case Union(lists):
                return [value for values in lists for value in self.values(values.nodes, current)]
            case Filter():
                return self._filter(node, current)
            case NodeList(nodes):
                return self.values(nodes, current)
            case Identifier(name):
                raise JSONPathError(f"unrecognized identifier {name}")
        raise JSONPathError(f"unexpected Node {node}")

    def _field(self, name: str, current: list[Any]) -> list[Any]:
        if name == "$":
            return [self.root]
        if name == "":
            return current
        values = [value[name] for value in current if isinstance(value, dict) and name in value]
        if not values and not self.allow_missing:
            raise JSONPathError(f"{name} is not found")
        return values

    def _filter(self, node: Filter, current: list[Any]) -> list[Any]:
        matching: list[Any] = []
        for value in current:
            if value is None:
                continue
            if not isinstance(value, list | dict):
                raise JSONPathError(f"{_render(value)} is not array or slice and cannot be filtered")
            matching += [item for item in _members(value) if self._matches(node, item)]
        return matching

    def _matches(self, node: Filter, item: Any) -> bool:
        lenient = _Run(self.root, True)
        left = lenient.values(node.left.nodes, [item])
        if node.operator == "exists":
            return bool(left)
        if not left:
            return False
        if len(left) > 1:
            raise JSONPathError("can only compare one element at a time")
        right = lenient.values(node.right.nodes, [item])
        if not right:
            return False
        if len(right) > 1:
            raise JSONPathError("can only compare one element at a time")
        return _compare(left[0], node.operator, right[0])


def _end_of_range(nodes: Sequence[Node], start: int) -> int:
    depth = 0
    for index in range(start, len(nodes)):
        node = nodes[index]
        if isinstance(node, NodeList):
            depth += node.starts_range - node.ends_range
            if depth == 0:
                return index
    raise JSONPathError("unmatched range, missing end")


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    return value if isinstance(value, list) else []


def _recursive(current: Sequence[Any]) -> Iterator[Any]:
    for value in current:
        members = _members(value)
        if members:
            yield value
            yield from _recursive(members)


def _array(node: Array, current: list[Any]) -> list[Any]:
    chosen: list[Any] = []
    for value in current:
        if value is None:
            continue
        if not isinstance(value, list):
            raise JSONPathError(f"{_type_of(value)} is not array or slice")
        chosen += _slice(node, value)
    return chosen


def _slice(node: Array, value: list[Any]) -> list[Any]:
    length = len(value)
    start = 0 if node.start is None else node.start + (length if node.start < 0 else 0)
    end = length if node.end is None else node.end
    if end < 0 or (end == 0 and node.single):
        end += length
    if start != end:
        if start >= length or start < 0:
            raise JSONPathError(f"array index out of bounds: index {start}, length {length}")
        if end > length or end < 0:
            raise JSONPathError(f"array index out of bounds: index {end - 1}, length {length}")
    if start > end:
        raise JSONPathError(f"starting index {start} is greater than ending index {end}")
    step = 1 if node.step is None else node.step
    if step <= 0:
        raise JSONPathError("step must be > 0")
    return value[start:end:step]


def _type_of(value: Any) -> str:
    if isinstance(value, dict):
        return "map[string]interface {}"
    return {str: "string", bool: "bool", int: "int64", float: "float64"}.get(type(value), "interface {}")


def _compare(left: Any, operator: str, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool) or isinstance(left, str) != isinstance(right, str):
        if operator in ("==", "!="):
            raise JSONPathError("incompatible types for comparison")
        raise JSONPathError("incompatible types for comparison")
    match operator:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
    raise JSONPathError(f"unrecognized filter operator {operator}")


def text_of(value: Any) -> str:
    """A value as kubectl prints it: strings bare, maps and lists as JSON."""
    if isinstance(value, str):
        return value
    return _render(value)


def _render(value: Any) -> str:
    if isinstance(value, dict | list):
        import orjson

        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)
