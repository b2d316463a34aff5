"""Validation of labels and of metav1.LabelSelector, as k8s.io/apimachinery's pkg/apis/meta/v1/validation does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors, labels
from kctl.apimachinery.bounds import cache_short
from kctl.apimachinery.field_errors import FieldError


@cache_short(maxsize=4096)
def _key_problems(key: str) -> tuple[str, ...]:
    return tuple(labels.validate_key(key))


@cache_short(maxsize=4096)
def _value_problems(value: str) -> tuple[str, ...]:
    return tuple(labels.validate_value(value))


def validate_label_name(key: str, path: str) -> list[FieldError]:
    return [field_errors.invalid(path, key, problem) for problem in _key_problems(key)]


def validate_label_value(value: str, path: str) -> list[FieldError]:
    return [field_errors.invalid(path, value, problem) for problem in _value_problems(value)]


def validate_labels(pairs: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """Both halves of each pair; the path is the map's, not the key's, as upstream reports it."""
    errors: list[FieldError] = []
    for key, value in (pairs or {}).items():
        errors += validate_label_name(key, path)
        errors += validate_label_value(value, path)
    return errors


def validate_label_selector(selector: Mapping[str, Any] | None, path: str, *, allow_invalid_values: bool = False) -> list[FieldError]:
    """`allow_invalid_values` is for updates of objects stored before values were checked. A missing selector is valid."""
    if selector is None:
        return []
    errors = validate_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        errors += _requirement(expression, f"{path}.matchExpressions[{index}]", allow_invalid_values)
    return errors


def _requirement(expression: Mapping[str, Any], path: str, allow_invalid_values: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    operator = expression.get("operator") or ""
    values = expression.get("values") or ()
    match operator:
        case "In" | "NotIn":
            if not values:
                why = "must be specified when `operator` is 'In' or 'NotIn'"
                errors.append(field_errors.required(f"{path}.values", why))
        case "Exists" | "DoesNotExist":
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(field_errors.forbidden(f"{path}.values", why))
        case _:
            errors.append(field_errors.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    errors += validate_label_name(expression.get("key") or "", f"{path}.key")
    if not allow_invalid_values:
        for index, value in enumerate(values):
            errors += validate_label_value(value, f"{path}.values[{index}]")
    return errors


def is_empty(selector: Mapping[str, Any] | None) -> bool:
    """No requirement at all: neither labels nor expressions."""
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))
