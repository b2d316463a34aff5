"""Server-side printing: what a kind shows in a Table, as kube-apiserver's printers (pkg/printers/internalversion).

Each group's file exposes COLUMNS: dict[group_resource, Columns]; kinds.py finds them. Cells are JSON values; the age is computed
against `now`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kctl.apimachinery import times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import bundle
from kctl.kube_apiserver.columns.descriptions import OTHERWISE


@dataclass(frozen=True, slots=True)
class Column:
    """priority 0 is always shown, 1 only with -o wide. `type`: string, integer, number, boolean, date. `format`: '' or name."""

    name: str
    description: str
    type: str = "string"
    format: str = ""
    priority: int = 0

    def definition(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Columns:
    """`row(object, now)` gives one cell for each column. `conditions(object)` gives the row's conditions
    (a finished pod is marked Completed). `order` sorts the rows of a list that is not shown in the order of names."""

    columns: Sequence[Column]
    row: Callable[[Object, datetime], list[Any]]
    conditions: Callable[[Object], list[dict[str, str]]] | None = None
    order: Callable[[Object], Any] | None = None


def described(name: str, field: str, type: str = "string", *, format: str = "", priority: int = 0) -> Column:
    """A column described by the documentation of `field`: Type.field, or group.version.Type.field where several types have the name.
    The build hook finds the fields in calls of this function and puts their texts into columns.bundle."""
    return Column(name, OTHERWISE.get(field) or bundle.columns().entry(field), type, format, priority)


NAME = described("Name", "ObjectMeta.name", format="name")
AGE = described("Age", "ObjectMeta.creationTimestamp")
CREATED_AT = described("Created At", "ObjectMeta.creationTimestamp", "date")


def age(timestamp: str | None, now: datetime) -> str:
    """The age cell of an RFC 3339 timestamp; <unknown> where there is none."""
    if not timestamp:
        return "<unknown>"
    return times.human_duration(now - times.parse(timestamp))
