"""The columns of a custom resource in a Table: its additionalPrinterColumns, else its age (upstream's tableconvertor)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kctl.apimachinery import jsonpath, times
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import CREATED_AT, NAME, Column, Columns

Read = Callable[[Object], Any]
_AGE = {"name": "Age", "type": "date", "description": CREATED_AT.description, "jsonPath": ".metadata.creationTimestamp"}
_NOTHING: Any = object()


def columns_of(given: Sequence[dict[str, Any]] | None) -> Columns:
    """`given`: additionalPrinterColumns of one version."""
    listed = given or (_AGE,)
    shown = [Column(*_head(column)) for column in listed]
    cells = [_cell(column) for column in listed]

    def row(obj: Object, now: datetime) -> list[Any]:
        return [obj["metadata"].get("name", ""), *(cell(obj, now) for cell in cells)]

    return Columns((replace(NAME), *shown), row)


def _head(column: dict[str, Any]) -> tuple[str, str, str, str, int]:
    path = column.get("jsonPath") or ""
    text = column.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
    return column.get("name") or "", text, column.get("type") or "", column.get("format") or "", int(column.get("priority") or 0)


def reader(path: str) -> Read:
    """The first value at a JSON path, `_NOTHING` where there is none. Raises JSONPathError for what is no path."""
    parsed = jsonpath.parse(f"{{{path}}}")

    def read(obj: Object) -> Any:
        try:
            found = parsed.find(obj)
        except jsonpath.JSONPathError:
            return _NOTHING
        return found[0][0] if found and found[0] else _NOTHING

    return read


def _cell(column: dict[str, Any]) -> Callable[[Object, datetime], Any]:
    kind = column.get("type") or ""
    try:
        read = reader(column.get("jsonPath") or "")
    except jsonpath.JSONPathError:
        return lambda obj, now: None

    def cell(obj: Object, now: datetime) -> Any:
        value = read(obj)
        return None if value is _NOTHING else _shown(kind, value, now)

    return cell


def _shown(kind: str, value: Any, now: datetime) -> Any:
    """A value in a column of this type; None where it is of another."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "string":
            return "<no value>" if value is None else jsonpath.text_of(value)
        case "integer" if number:
            return int(value)
        case "number" if number:
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "date" if isinstance(value, str):
            return _age(value, now)
    return None


def _age(text: str, now: datetime) -> str:
    if not text or text == "null":
        return "<unknown>"
    try:
        return times.human_duration(now - times.parse(text))
    except (ValueError, TypeError):
        return "<invalid>"


def selectable(fields: Sequence[dict[str, Any]] | None) -> dict[str, Callable[[Object], str]]:
    """Field selectors by name: `spec.color` for the path `.spec.color`."""
    found = {}
    for field in fields or ():
        path = field.get("jsonPath") or ""
        found[path.removeprefix(".")] = _text_reader(path)
    return found


def _text_reader(path: str) -> Callable[[Object], str]:
    read = reader(path)

    def text(obj: Object) -> str:
        value = read(obj)
        return "" if value is _NOTHING or value is None else jsonpath.text_of(value)

    return text
