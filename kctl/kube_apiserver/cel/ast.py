"""The syntax tree of a CEL expression. Every node knows its offset in the text, for messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Node:
    offset: int
    type: Any = field(default="dyn", kw_only=True)
    """Set by the checker (types.py)."""


@dataclass(slots=True)
class Literal(Node):
    """`kind` is the CEL type of the value."""

    value: Any
    kind: str


@dataclass(slots=True)
class Ident(Node):
    name: str


@dataclass(slots=True)
class Select(Node):
    """operand.field; `test`: has(operand.field); `optional`: operand.?field."""

    operand: Node
    field: str
    test: bool = False
    optional: bool = False


@dataclass(slots=True)
class Call(Node):
    """`target` is the receiver of a method. Operators are functions: _+_, _[_], _?_:_, !_, @in, ..."""

    function: str
    target: Node | None
    args: list[Node]


@dataclass(slots=True)
class ListNode(Node):
    """`optional`: the positions of elements written ?x."""

    elements: list[Node]
    optional: frozenset[int]


@dataclass(slots=True)
class MapNode(Node):
    """(key, value, whether written ?key)"""

    entries: list[tuple[Node, Node, bool]]


@dataclass(slots=True)
class ObjectNode(Node):
    """Name{field: value}. `fields`: (name, value, whether written ?field, the offset of its colon)"""

    name: str
    fields: list[tuple[str, Node, bool, int]]


@dataclass(slots=True)
class Macro(Node):
    """all, exists, exists_one, map, filter, transformList, transformMap, bind, optMap, optFlatMap over `operand`, with the variables and
    the expressions it binds them in."""

    kind: str
    operand: Node
    variables: tuple[str, ...]
    parts: list[Node]


def dotted(node: Node) -> str:
    """google.protobuf.Timestamp, optional.none, Object.spec: a name that may be no selection of a value. '' where it is something else."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test and not node.optional:
        inner = dotted(node.operand)
        return f"{inner}.{node.field}" if inner else ""
    return ""
