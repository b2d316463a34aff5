"""Structural schemas: every part of a custom resource's schema says its type, and what stands under allOf, anyOf, oneOf and not only
restricts what is said outside of them (upstream's schema.ValidateStructural)."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.go_patterns import GoPatternError, compiled
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.apiextensions import schema_keywords, schema_rules

Schema = dict[str, Any]
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_ROOT, _ITEM, _FIELD = "at the root", "for specified array items", "for specified object fields"
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_NO_FIELDS = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
_ONLY_NAMES = "must not specify anything other than name and generateName, but metadata is implicitly specified"
_NESTED = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "externalDocs": "must be undefined to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}


def schema_errors(schema: Schema, path: str) -> list[FieldError]:
    """What is wrong with the names of types, then what keeps the schema from being structural, then everything else; rules are compiled
    where nothing is."""
    errors: list[FieldError] = []
    if schema.get("nullable"):
        errors.append(field_errors.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    structural: list[FieldError] = []
    _walk(schema, path, _ROOT, errors, structural)
    errors += sorted(structural, key=str)
    keywords = schema_keywords.errors(schema, path)
    errors += keywords
    return errors or schema_rules.errors(schema, path)


def _parts(schema: Schema) -> list[tuple[str, Schema, str]]:
    """(path below the schema, schema, level)"""
    items, others = schema.get("items"), schema.get("additionalProperties")
    parts = [(".items", items, _ITEM)] if isinstance(items, dict) else []
    properties = schema.get("properties") or {}
    parts += [(f".properties[{name}]", properties[name], _FIELD) for name in sorted(properties)]
    return parts + ([(".additionalProperties", others, _FIELD)] if isinstance(others, dict) else [])


def _walk(schema: Schema, path: str, level: str, errors: list[FieldError], structural: list[FieldError]) -> None:
    kind = schema.get("type") or ""
    if kind:
        errors += field_checks.enum(f"{path}.type", kind, _TYPES)
    for below, part, inner in _parts(schema):
        _walk(part, path + below, inner, errors, structural)
    structural += _unsaid(schema, kind, path, level)
    structural += _invariants(schema, path, level)
    structural += _value_validation(schema, path, outside=True)


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


def _invariants(schema: Schema, path: str, level: str) -> list[FieldError]:
    errors: list[FieldError] = []
    embedded, preserves = schema.get("x-kubernetes-embedded-resource"), schema.get("x-kubernetes-preserve-unknown-fields")
    others = f"{path}.additionalProperties"
    if schema.get("additionalProperties") is not None:
        if level == _ROOT:
            errors.append(field_errors.forbidden(others, "must not be used at the root"))
        if embedded:
            errors.append(field_errors.forbidden(others, "must not be used if x-kubernetes-embedded-resource is set"))
    if schema.get("x-kubernetes-int-or-string"):
        for name in ("preserve-unknown-fields", "embedded-resource"):
            if schema.get(f"x-kubernetes-{name}"):
                why = "must be false if x-kubernetes-int-or-string is true"
                errors.append(field_errors.invalid(f"{path}.x-kubernetes-{name}", True, why))
    properties: dict[str, Schema] = schema.get("properties") or {}
    if level == _ROOT or embedded:
        for name, kind in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
            given = (properties.get(name) or {}).get("type") or ""
            if name in properties and given != kind:
                errors.append(field_errors.invalid(f"{path}.properties[{name}].type", given, f"must be {kind}"))
    if level == _ROOT and "metadata" in properties and not _only_names(properties["metadata"]):
        errors.append(field_errors.forbidden(f"{path}.properties[metadata]", _ONLY_NAMES))
    if embedded and not preserves and not properties:
        errors.append(field_errors.required(f"{path}.properties", _NO_FIELDS))
    return errors


def _only_names(schema: Schema) -> bool:
    return schema.keys() <= {"type", "properties", "default"} and (schema.get("properties") or {}).keys() <= {"name", "generateName"}


def _value_validation(schema: Schema, path: str, *, outside: bool, skip_any: bool = False) -> list[FieldError]:
    """`outside`: at the level itself; else below a junctor."""
    errors: list[FieldError] = []
    any_of, all_of = schema.get("anyOf") or [], schema.get("allOf") or []
    if not (skip_any or (outside and any_of == _INT_OR_STRING)):
        for index, part in enumerate(any_of):
            errors += _nested(part, f"{path}.anyOf[{index}]")
    for index, part in enumerate(all_of):
        pattern = outside and index == 0 and part.get("anyOf") == _INT_OR_STRING
        errors += _nested(part, f"{path}.allOf[{index}]", skip_any=pattern)
    for index, part in enumerate(schema.get("oneOf") or ()):
        errors += _nested(part, f"{path}.oneOf[{index}]")
    if isinstance(schema.get("not"), dict):
        errors += _nested(schema["not"], f"{path}.not")
    if schema.get("pattern"):
        try:
            compiled(schema["pattern"])
        except GoPatternError as error:
            why = f"must be a valid regular expression, but isn't: {error}"
            errors.append(field_errors.invalid(f"{path}.pattern", schema["pattern"], why))
    return errors


def _nested(schema: Schema, path: str, *, skip_any: bool = False) -> list[FieldError]:
    errors = _value_validation(schema, path, outside=False, skip_any=skip_any)
    if isinstance(schema.get("items"), dict):
        errors += _nested(schema["items"], f"{path}.items")
    properties = schema.get("properties") or {}
    for name in sorted(properties):
        errors += _nested(properties[name], f"{path}.properties[{name}]")
    for name, why in _NESTED.items():
        given = schema.get(name)
        if given or (name in ("additionalProperties", "default") and given is not None):
            errors.append(field_errors.forbidden(f"{path}.{name}", why))
    if "metadata" in properties:
        errors.append(field_errors.forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context"))
    return errors
