"""--sort-by: rows of a table or objects in the order of a field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

from kctl.apimachinery import jsonpath
from kctl.apimachinery.objects import Object
from kctl.apimachinery.quantity import parse as parse_quantity
from kctl.cli.errors import CommandError


def sort_tables(tables: Sequence[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    return [{**table, "rows": _sorted(table.get("rows") or [], field, lambda row: row.get("object") or {})} for table in tables]


def sort_objects(objects: Sequence[Object], field: str) -> list[Object]:
    return _sorted(objects, field, lambda obj: obj)


def _sorted(things: Sequence[Any], field: str, object_of: Any) -> list[Any]:
    try:
        path = jsonpath.parse(jsonpath.relaxed(field))
        keys = [[value for values in path.find(object_of(one)) for value in values] for one in things]
    except jsonpath.JSONPathError as error:
        raise CommandError(str(error)) from None
    if things and not any(keys):
        raise CommandError(f'couldn\'t find any field with path "{jsonpath.relaxed(field)}" in the list of objects')
    pairs: list[tuple[list[Any], Any]] = list(zip(keys, things, strict=True))
    order = cmp_to_key(_compare)
    pairs.sort(key=lambda pair: order(pair[0]))
    return [thing for _, thing in pairs]


def _compare(left: list[Any], right: list[Any]) -> int:
    """Objects without the field come first."""
    if not left or not right:
        return bool(left) - bool(right)
    a, b = left[0], right[0]
    if isinstance(a, str) and isinstance(b, str):
        return _compare_text(a, b)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return (a > b) - (a < b)
    raise CommandError(f"unsortable type: {type(a).__name__}")


def _compare_text(a: str, b: str) -> int:
    """Quantities by size, everything else in natural order."""
    try:
        x, y = parse_quantity(a), parse_quantity(b)
        return (x > y) - (x < y)
    except ValueError:
        pass
    left, right = _natural(a), _natural(b)
    return (left > right) - (left < right)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Runs of digits compare as numbers (vbom.ml/util/sortorder)."""
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]
