"""What a configuration says: whether it is one of its type, and which fields it sets (TypedValue.Validate and ToFieldSet)."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.field_ownership import paths
from kctl.apimachinery.field_ownership.field_schema import UNTYPED, FieldType
from kctl.apimachinery.field_ownership.go_values import go_string, go_syntax, go_type
from kctl.apimachinery.field_ownership.paths import ElementError
from kctl.apimachinery.field_ownership.sets import LEAF, SELF, FieldSet


class TypedError(ValueError):
    """A value is none of its type; the text lists every place, in upstream's words."""


def check(value: Any, field_type: FieldType) -> None:
    """Raises TypedError."""
    errors: list[str] = []
    _check(value, field_type, "", errors)
    if errors:
        raise TypedError(errors[0] if len(errors) == 1 else "\n  ".join(["errors:", *errors]))


def _check(value: Any, field_type: FieldType, path: str, errors: list[str]) -> None:
    if value is None:
        return
    form = field_type.form_of(value)
    if form == "map":
        _check_map(value, field_type, path, errors)
    elif form == "list":
        _check_list(value, field_type, path, errors)
    elif why := _scalar_problem(value, field_type.scalar):
        errors.append(_at(path, why))


def _at(path: str, why: str) -> str:
    return f"{path}: {why}" if path else why


def _scalar_problem(value: Any, kind: str) -> str:
    if kind == "string":
        return "" if isinstance(value, str) else f"expected string, got &value.valueUnstructured{{Value:{go_syntax(value)}}}"
    if kind == "numeric":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if number else f"expected numeric (int or float), got {go_type(value)}"
    if kind == "boolean":
        return "" if isinstance(value, bool) else f"expected boolean, got &{{{go_string(value)}}}"
    return f"expected any scalar, got &{{{go_string(value)}}}" if isinstance(value, dict | list) else ""


def _check_map(value: Any, field_type: FieldType, path: str, errors: list[str]) -> None:
    if not isinstance(value, dict):
        errors.append(_at(path, f"expected map, got &{{{go_string(value)}}}"))
        return
    for name, part in value.items():
        inner = field_type.field(name)
        if inner is None:
            errors.append(f"{path}.{name}: field not declared in schema")
            return
        _check(part, inner, f"{path}.{name}", errors)


def _check_list(value: Any, field_type: FieldType, path: str, errors: list[str]) -> None:
    if not isinstance(value, list):
        errors.append(_at(path, f"expected list, got &{{{go_string(value)}}}"))
        return
    observed: set[str] = set()
    item_type = field_type.item or UNTYPED
    for index, item in enumerate(value):
        shown = f"[{index}]"
        if not field_type.is_leaf_list:
            try:
                element = paths.of_item(field_type, item)
            except ElementError as error:
                errors.append(_at(path, f"element {index}: {error}"))
                return
            shown = paths.element_text(element)
            if element in observed:
                errors.append(_at(path, f"duplicate entries for key {shown}"))
            observed.add(element)
        _check(item, item_type, f"{path}{shown}", errors)


def field_set(value: Any, field_type: FieldType) -> FieldSet:
    """Every leaf and item that a valid value mentions."""
    return _below(value, field_type) or LEAF


def _below(value: Any, field_type: FieldType) -> FieldSet | None:
    """What is set below a value, itself a member (LEAF) where it is owned as a whole; None where nothing is."""
    form = field_type.form_of(value)
    if form == "scalar":
        return LEAF
    if form == "map":
        if field_type.is_leaf_map:
            return LEAF
        return _of_fields(value, field_type) if isinstance(value, dict) else None
    if field_type.is_leaf_list:
        return LEAF
    return _of_items(value, field_type) if isinstance(value, list) else None


def _of_fields(value: dict[str, Any], field_type: FieldType) -> FieldSet | None:
    found: FieldSet = {}
    for name, part in value.items():
        declared = field_type.fields.get(name)
        below = _below(part, declared or field_type.values or UNTYPED)
        if part is None or part == {} or declared is None:
            below = _and_self(below)
        if below is not None:
            found[f"f:{name}"] = below
    return found or None


def _and_self(below: FieldSet | None) -> FieldSet:
    return {SELF: LEAF, **below} if below else LEAF


def _of_items(items: list[Any], field_type: FieldType) -> FieldSet | None:
    found: FieldSet = {}
    elements: dict[str, int] = {}
    keyed = [(paths.of_item(field_type, item), item) for item in items]
    for element, _ in keyed:
        elements[element] = elements.get(element, 0) + 1
    for element, item in keyed:
        found[element] = LEAF if elements[element] > 1 else _and_self(_below(item, field_type.item or UNTYPED))
    return found or None
