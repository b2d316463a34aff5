"""Merging an applied configuration into the live object (TypedValue.Merge): nothing is removed, and where both say something the
configuration wins. Items of list maps and sets keep the configuration's order among themselves."""

from __future__ import annotations

from collections import deque
from typing import Any

from kctl.apimachinery.field_ownership import paths
from kctl.apimachinery.field_ownership.compare import MISSING
from kctl.apimachinery.field_ownership.field_schema import UNTYPED, FieldType


def merge(live: Any, configuration: Any, field_type: FieldType) -> Any:
    """A new value that shares what did not change; MISSING where neither says anything."""
    if configuration is MISSING:
        return live
    form = field_type.form_of(configuration)
    if form == "map" and not field_type.is_leaf_map:
        before, after = (value if isinstance(value, dict) else {} for value in (live, configuration))
        if before or after:
            return _merge_fields(before, after, field_type)
    elif form == "list" and not field_type.is_leaf_list:
        left, right = (value if isinstance(value, list) else [] for value in (live, configuration))
        if left or right:
            return _merge_items(left, right, field_type)
    return configuration


def _merge_fields(live: dict[str, Any], configuration: dict[str, Any], field_type: FieldType) -> dict[str, Any]:
    out = dict(live)
    for name, value in configuration.items():
        out[name] = merge(live.get(name, MISSING), value, field_type.field(name) or UNTYPED)
    return out


def _merge_items(live: list[Any], configuration: list[Any], field_type: FieldType) -> list[Any]:
    """Live items that the configuration does not name stay where they are, before the next one it does."""
    item_type = field_type.item or UNTYPED
    before = [paths.of_item(field_type, item) for item in live]
    after = [paths.of_item(field_type, item) for item in configuration]
    live_items = _unique(before, live)
    wanted = dict(zip(after, configuration, strict=True))
    shared = deque(element for element in after if element in live_items)
    out: list[Any] = []
    merged: set[str] = set()
    left = right = 0
    while left < len(before) or right < len(after):
        here = before[left] if left < len(before) else ""
        if here and right < len(after) and here != after[right] and here in wanted and shared and shared[0] != here:
            left += 1  # named, but its turn comes later
            continue
        if here and here not in wanted:
            out.append(live[left])
            left += 1
            continue
        if here in merged:
            left += 1
        if right < len(after):
            element = after[right]
            out.append(merge(live_items.get(element, MISSING), wanted[element], item_type))
            merged.add(element)
            right += 1
            left += left < len(before) and before[left] == element
            if shared and shared[0] == element:
                shared.popleft()
    return out


def _unique(elements: list[str], items: list[Any]) -> dict[str, Any]:
    """Items by their path element; those that are there several times are null: they are not merged with what comes."""
    found: dict[str, Any] = {}
    for element, item in zip(elements, items, strict=True):
        found[element] = None if element in found else item
    return found
