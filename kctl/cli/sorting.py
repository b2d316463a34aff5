"""--sort-by: rows of a table or objects in the order of a field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import jsonpath
from kctl.apimachinery.objects import Object
from kctl.apimachinery.quantity import parse as parse_quantity
from kctl.cli import go_sort
from kctl.cli.errors import CommandError


def sort_tables(tables: Sequence[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    """A single row is in order, whatever the field. kubectl says `No resources found` where no row of the only table has the field;
    here that is an error."""
    if len(tables) == 1 and len(tables[0].get("rows") or ()) == 1:
        return list(tables)
    return [{**table, "rows": _sorted(table.get("rows") or [], field, lambda row: row.get("object") or {})} for table in tables]


def sort_objects(objects: Sequence[Object], field: str) -> list[Object]:
    return _sorted(objects, field, lambda obj: obj)


def _sorted(things: Sequence[Any], field: str, object_of: Any) -> list[Any]:
    try:
        path = jsonpath.parse(jsonpath.relaxed(field))
        keys = [[value for values in path.find(object_of(thing)) for value in values] for thing in things]
    except jsonpath.JSONPathError as error:
        raise CommandError(str(error)) from None
    if things and not any(keys):
        raise CommandError(f'couldn\'t find any field with path "{jsonpath.relaxed(field)}" in the list of objects')
    pairs: list[tuple[list[Any], Any]] = list(zip(keys, things, strict=True))
    go_sort.sort(pairs, lambda left, right: _less(left[0], right[0]))
    return [thing for _, thing in pairs]


def _less(left: list[Any], right: list[Any]) -> bool:
    """kubectl's order: an object without the field is less than any other, one without the field included; null before values."""
    if not left or not right:
        return not left
    a, b = left[0], right[0]
    if a is None or b is None:
        return a is None and b is not None
    if isinstance(a, str) and isinstance(b, str):
        return _less_text(a, b)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a < b
    raise CommandError(f"unsortable type: {type(a).__name__}")


def _less_text(a: str, b: str) -> bool:
    """Quantities by size, everything else in natural order."""
    try:
        return bool(parse_quantity(a) < parse_quantity(b))
    except ValueError:
        return _natural(a) < _natural(b)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Runs of digits compare as numbers (vbom.ml/util/sortorder)."""
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]
