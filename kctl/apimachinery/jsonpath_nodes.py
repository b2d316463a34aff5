"""The parts a JSONPath template is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


class JSONPathError(ValueError):
    """A template that cannot be parsed, or cannot be applied to the data."""


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string or bool inside an expression."""

    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Field:
    """`.name`; '' is the present value, '$' the root."""

    name: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """range, end."""

    name: str


@dataclass(frozen=True, slots=True)
class Array:
    """`[start:end:step]`; `[n]` is a slice of one, marked `single`."""

    start: int | None
    end: int | None
    step: int | None
    single: bool = False


@dataclass(frozen=True, slots=True)
class Wildcard:
    pass


@dataclass(frozen=True, slots=True)
class Recursive:
    pass


@dataclass(frozen=True, slots=True)
class Union:
    lists: Sequence[NodeList]


@dataclass(frozen=True, slots=True)
class Filter:
    """`?(left operator right)`; operator 'exists' has no right side."""

    left: NodeList
    right: NodeList
    operator: str


@dataclass(frozen=True, slots=True)
class NodeList:
    nodes: Sequence[Node] = ()

    @property
    def starts_range(self) -> bool:
        return bool(self.nodes) and self.nodes[0] == Identifier("range")

    @property
    def ends_range(self) -> bool:
        return bool(self.nodes) and self.nodes[0] == Identifier("end")


Node: TypeAlias = Text | Literal | Field | Identifier | Array | Wildcard | Recursive | Union | Filter | NodeList
