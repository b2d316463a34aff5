"""Names, opaque parameters and tolerations of devices, alike in claims, classes and slices."""

from __future__ import annotations

import json
from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.rules.checks import driver_name
from kctl.kube_apiserver.registry.rules.language import Struct, field, optional, pointer, struct

_MAX_ID = 32


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
    return (driver_name(domain, path) if domain else no_domain) + (_identifier(name, path) if name else no_name)


def fully_qualified(key: str, path: str) -> list[FieldError]:
    errors = qualified(key, path)
    if "/" not in key:
        why = "a fully qualified name must be a domain and a name separated by a slash"
        errors.append(field_errors.invalid(path, key, why))
    return errors


def _identifier(name: str, path: str) -> list[FieldError]:
    errors = [field_errors.too_long(path, _MAX_ID)] if len(name) > _MAX_ID else []
    return errors + names.errors(path, name, names.c_identifier)


def _parameters(parameters: Any, path: str) -> list[FieldError]:
    if len(json.dumps(parameters, separators=(",", ":"))) > 10 * 1024:
        return [field_errors.too_long(path, 10 * 1024)]
    return [] if isinstance(parameters, dict) else [field_errors.invalid(path, "<value omitted>", "must be a valid JSON object")]


OPAQUE = pointer("opaque", struct(field("driver", driver_name), pointer("parameters", _parameters, required=True)), required=True)


def _value(toleration: Any, path: str) -> list[FieldError]:
    operator, value = toleration.get("operator") or "", toleration.get("value") or ""
    if operator == "Exists" and value:
        return [field_errors.invalid(f"{path}.value", value, "must be empty for operator `Exists`")]
    return names.errors(f"{path}.value", value, names.label_value) if operator == "Equal" else []


def toleration(effects: tuple[str, ...]) -> Struct:
    operator = field("operator", required=True, enum=("Equal", "Exists"), default="Equal")
    return struct(optional("key", names.qualified_name), _value, operator, optional("effect", enum=effects))
