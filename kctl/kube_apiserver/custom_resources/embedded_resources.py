"""What x-kubernetes-embedded-resource promises: the object there has an apiVersion, a kind and well-formed metadata."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.custom_resources.structural import Structural
from kctl.kube_apiserver.registry import metadata

_MIXED_CASE = "may have mixed case, but should otherwise match: "


def has_any(schema: Structural) -> bool:
    """Whether there is one at any level: most schemas need no walk."""
    return any(part.embedded or has_any(part) for part in schema.parts())


def errors(value: Any, schema: Structural | None, path: str = "") -> list[FieldError]:
    if schema is None:
        return []
    found: list[FieldError] = []
    if isinstance(value, dict):
        if schema.embedded:
            found += _resource(value, path)
        for key, item in value.items():
            if key in schema.properties:
                found += errors(item, schema.properties[key], f"{path}.{key}" if path else key)
            elif schema.additional is not None:
                found += errors(item, schema.additional, f"{path}[{key}]")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += errors(item, schema.items, f"{path}[{index}]")
    return found


def _resource(value: dict[str, Any], path: str) -> list[FieldError]:
    found = [field_errors.required(f"{path}.{field}") for field in ("apiVersion", "kind") if field not in value]
    for field, check in (("apiVersion", _version), ("kind", _kind)):
        given = value.get(field, "-")
        if not isinstance(given, str):
            found.append(field_errors.invalid(f"{path}.{field}", given, "must be a string"))
        elif not given:
            found.append(field_errors.required(f"{path}.{field}"))
        elif field in value and (why := check(given)):
            found.append(field_errors.invalid(f"{path}.{field}", given, why))
    meta = value.get("metadata")
    if isinstance(meta, dict):
        found += _metadata(meta, f"{path}.metadata")
    return found


def _version(given: str) -> str:
    return f"unexpected GroupVersion string: {given}" if given.count("/") > 1 else ""


def _kind(given: str) -> str:
    problems = names.dns1035_label(given.lower())
    return _MIXED_CASE + ",".join(problems) if problems else ""


def _metadata(meta: dict[str, Any], path: str) -> list[FieldError]:
    named = meta if meta.get("name") else {**meta, "name": "fakename"}
    found = metadata.validate(named, namespaced=bool(meta.get("namespace")), name_rule="path_segment", is_create=True)
    return [error.at(path + error.field.removeprefix("metadata")) for error in found]
