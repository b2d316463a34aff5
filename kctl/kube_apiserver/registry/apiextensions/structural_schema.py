"""Structural schemas: every part of a custom resource's schema says its type."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry import field_checks

Schema = dict[str, Any]
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_ROOT, _ITEM, _FIELD = "at the root", "for specified array items", "for specified object fields"


def schema_errors(schema: Schema, path: str) -> list[FieldError]:
    """In one walk, however large it is; what is wrong with the names of types comes before what they do not say."""
    errors: list[FieldError] = []
    if schema.get("nullable"):
        errors.append(field_errors.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    unsaid: list[FieldError] = []
    _walk(schema, path, _ROOT, errors, unsaid)
    return errors + unsaid


def _parts(schema: Schema) -> list[tuple[str, Schema, str]]:
    """(path below the schema, schema, level)"""
    items, others = schema.get("items"), schema.get("additionalProperties")
    parts = [(".items", items, _ITEM)] if isinstance(items, dict) else []
    properties = schema.get("properties") or {}
    parts += [(f".properties[{name}]", properties[name], _FIELD) for name in sorted(properties)]
    return parts + ([(".additionalProperties", others, _FIELD)] if isinstance(others, dict) else [])


def _walk(schema: Schema, path: str, level: str, errors: list[FieldError], unsaid: list[FieldError]) -> None:
    kind = schema.get("type") or ""
    if kind:
        errors += field_checks.enum(f"{path}.type", kind, _TYPES)
    for below, part, inner in _parts(schema):
        _walk(part, path + below, inner, errors, unsaid)
    unsaid += _unsaid(schema, kind, path, level)


def _unsaid(schema: Schema, kind: str, path: str, level: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if kind == "array" and schema.get("items") is None:
        errors.append(field_errors.required(f"{path}.items", "must be specified"))
    if schema.get("x-kubernetes-embedded-resource") and kind != "object":
        why = "must be object if x-kubernetes-embedded-resource is true"
        here = f"{path}.type"
        errors.append(field_errors.invalid(here, kind, why) if kind else field_errors.required(here, why))
    elif not kind and not (schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")):
        errors.append(field_errors.required(f"{path}.type", f"must not be empty {level}"))
    if level == _ROOT and kind and kind != "object":
        errors.append(field_errors.invalid(f"{path}.type", kind, "must be object at the root"))
    return errors
