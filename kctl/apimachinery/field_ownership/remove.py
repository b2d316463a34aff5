"""Taking fields and items out of a value (TypedValue.RemoveItems)."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.field_ownership import paths
from kctl.apimachinery.field_ownership.field_schema import UNTYPED, FieldType
from kctl.apimachinery.field_ownership.sets import LEAF, SELF, FieldSet, is_member


def remove(value: Any, fields: FieldSet, field_type: FieldType) -> Any:
    """`value` without the members of `fields`; null where nothing of it is left. Parts that stay are shared."""
    if not fields:
        return value
    form = field_type.form_of(value)
    if form == "map" and isinstance(value, dict) and value:
        return None if field_type.is_leaf_map else _from_map(value, fields, field_type)
    if form == "list" and isinstance(value, list) and value:
        return None if field_type.is_leaf_list else _from_list(value, fields, field_type)
    return value if form == "scalar" else None


def _from_map(value: dict[str, Any], fields: FieldSet, field_type: FieldType) -> dict[str, Any] | None:
    out: dict[str, Any] = {}
    for name, part in value.items():
        node = fields.get(f"f:{name}")
        if node is None:
            out[name] = part
        elif not is_member(node):
            out[name] = remove(part, node, field_type.field(name) or UNTYPED)
    return out or None


def _from_list(value: list[Any], fields: FieldSet, field_type: FieldType) -> list[Any] | None:
    out: list[Any] = []
    for item in value:
        node = fields.get(paths.of_item(field_type, item))
        if node is None:
            out.append(item)
        elif not is_member(node):
            out.append(remove(item, node, field_type.item or UNTYPED))
    return out or None


def with_named_fields(fields: FieldSet, field_type: FieldType) -> FieldSet:
    """The set with the fields of structs, which are no members by themselves, that something of theirs is in
    (Set.EnsureNamedFieldsAreMembers)."""
    out: FieldSet = {}
    for element, node in fields.items():
        if element == SELF or not node:
            out[element] = node
            continue
        named = element[:2] == "f:" and element[2:] in field_type.fields
        below = with_named_fields(node, _type_of(element, field_type))
        out[element] = {SELF: LEAF, **below} if named else below
    return out


def _type_of(element: str, field_type: FieldType) -> FieldType:
    if element[:2] == "f:":
        return field_type.field(element[2:]) or UNTYPED
    return field_type.item or UNTYPED
