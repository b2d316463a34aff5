"""Names, opaque parameters and tolerations of devices, alike in claims, classes and slices."""

from __future__ import annotations

import json
from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.storage.classes import csi_driver_name

Spec = dict[str, Any]
_MAX_ID = 32


driver_name = csi_driver_name


def qualified(key: str, path: str) -> list[FieldError]:
    """[domain/]C identifier."""
    parts = key.split("/")
    if len(parts) == 1:
        return _identifier(key, path)
    if len(parts) > 2:
        return [field_errors.invalid(path, key, "must not contain more than one slash")]
    domain, name = parts
    no_domain = [field_errors.invalid(path, "", "the domain must not be empty")]
    no_name = [field_errors.invalid(path, "", "the name must not be empty")]
    return (driver_name(path, domain) if domain else no_domain) + (_identifier(name, path) if name else no_name)


def fully_qualified(key: str, path: str) -> list[FieldError]:
    errors = qualified(key, path)
    if "/" not in key:
        why = "a fully qualified name must be a domain and a name separated by a slash"
        errors.append(field_errors.invalid(path, key, why))
    return errors


def _identifier(name: str, path: str) -> list[FieldError]:
    errors = [field_errors.too_long(path, _MAX_ID)] if len(name) > _MAX_ID else []
    return errors + names.errors(path, name, names.c_identifier)


def opaque_errors(opaque: Spec | None, path: str) -> list[FieldError]:
    if opaque is None:
        return [field_errors.required(f"{path}.opaque")]
    where, parameters = f"{path}.opaque.parameters", opaque.get("parameters")
    errors = driver_name(f"{path}.opaque.driver", opaque.get("driver") or "")
    if parameters is None:
        return [*errors, field_errors.required(where)]
    if len(json.dumps(parameters, separators=(",", ":"))) > 10 * 1024:
        return [*errors, field_errors.too_long(where, 10 * 1024)]
    if not isinstance(parameters, dict):
        errors.append(field_errors.invalid(where, "<value omitted>", "must be a valid JSON object"))
    return errors


def toleration_errors(toleration: Spec, path: str, effects: tuple[str, ...]) -> list[FieldError]:
    key, operator, value = (toleration.get(name) or "" for name in ("key", "operator", "value"))
    errors = names.errors(f"{path}.key", key, names.qualified_name) if key else []
    if operator == "Exists" and value:
        errors.append(field_errors.invalid(f"{path}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        errors += names.errors(f"{path}.value", value, names.label_value)
    elif operator != "Exists":
        errors += field_checks.required_enum(f"{path}.operator", operator, ("Equal", "Exists"))
    if toleration.get("effect"):
        errors += field_checks.enum(f"{path}.effect", toleration["effect"], effects)
    return errors
