"""Structures as error messages print them: the API server validates its internal types, whose JSON has Go's field names.

`{"Attacher":"d.io","Source":{"PersistentVolumeName":"pv","InlineVolumeSpec":null},"NodeName":"n"}`. A shape lists a type's fields
in Go's order as `GoName` -> what it is: a zero value ("" 0 False or None for pointers, lists and maps), a `Shape` for a structure
held by value, `Pointer(shape)`, `Each(shape)` for a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Shape = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pointer:
    """A structure that may be absent: null then."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class Each:
    """A list of structures; null where it is absent."""

    shape: Shape


def internal_form(value: Mapping[str, Any] | None, shape: Shape) -> dict[str, Any]:
    given = value or {}
    return {name: _field(given.get(_json_name(name)), kind) for name, kind in shape.items()}


def _field(value: Any, kind: Any) -> Any:
    if isinstance(kind, Pointer):
        return None if value is None else internal_form(value, kind.shape)
    if isinstance(kind, Each):
        return [internal_form(item, kind.shape) for item in value] if value else None
    if isinstance(kind, Mapping):
        return internal_form(value, kind)
    return kind if value is None else value


def _json_name(name: str) -> str:
    """DeviceClassName -> deviceClassName, CEL -> cel, NodeID -> nodeID."""
    return name.lower() if name.isupper() else name[0].lower() + name[1:]
