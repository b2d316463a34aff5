"""Which keywords a custom resource's schema may use, and how they go together (upstream's ValidateCustomResourceDefinitionOpenAPISchema):
keywords that are not supported, lists and maps and their types, defaults that are what the schema says."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.custom_resources import list_types, validation
from kctl.kube_apiserver.custom_resources.settling import Settling
from kctl.kube_apiserver.custom_resources.structural import Structural

Schema = dict[str, Any]
_UNSUPPORTED = ("additionalItems", "patternProperties", "definitions", "dependencies", "id", "$ref")
_IS_MAP, _HAS_KEYS = "if x-kubernetes-list-type is map", "if x-kubernetes-list-map-keys is non-empty"
_PARENT_MAP = "if parent array's x-kubernetes-list-type is map"
_UNIQUE = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
_KEY_DEFAULT = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
_ATOMIC_ITEM = "as item of a list with x-kubernetes-list-type=set"


def errors(schema: Schema, path: str) -> list[FieldError]:
    return _level(schema, path, nested=False)


def _level(schema: Schema, path: str, *, nested: bool) -> list[FieldError]:
    found = [field_errors.forbidden(f"{path}.{name}", f"{name} is not supported") for name in _UNSUPPORTED if schema.get(name)]
    if schema.get("type") == "null":
        found.append(field_errors.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative"))
    if isinstance(schema.get("items"), list):
        found.append(field_errors.forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if schema.get("uniqueItems"):
        found.append(field_errors.forbidden(f"{path}.uniqueItems", _UNIQUE))
    found += _below(schema, path, nested)
    if not nested:
        found += _own_type(schema, path, "map", ("atomic", "granular"), "object")
        found += _own_type(schema, path, "list", ("atomic", "set", "map"), "array")
        found += _list_keys(schema, path)
        if schema.get("x-kubernetes-preserve-unknown-fields") is False:
            why = "must be true or undefined"
            found.append(field_errors.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, why))
        found += _default(schema, path)
    return found


def _below(schema: Schema, path: str, nested: bool) -> list[FieldError]:
    found: list[FieldError] = []
    others, properties = schema.get("additionalProperties"), schema.get("properties") or {}
    if others is not None:
        where = f"{path}.additionalProperties"
        if properties and others is not True:
            found.append(field_errors.forbidden(where, "additionalProperties and properties are mutual exclusive"))
        if others is False:
            found.append(field_errors.forbidden(where, "additionalProperties cannot be set to false"))
        if isinstance(others, dict):
            found += _level(others, where, nested=nested)
    for name in sorted(properties):
        found += _level(properties[name], f"{path}.properties[{name}]", nested=nested)
    if isinstance(schema.get("not"), dict):
        found += _level(schema["not"], f"{path}.not", nested=True)
    for junctor in ("allOf", "oneOf", "anyOf"):
        for index, part in enumerate(schema.get(junctor) or ()):
            found += _level(part, f"{path}.{junctor}[{index}]", nested=True)
    if isinstance(schema.get("items"), dict):
        found += _level(schema["items"], f"{path}.items", nested=nested)
    return found


def _own_type(schema: Schema, path: str, what: str, choices: tuple[str, ...], kind: str) -> list[FieldError]:
    """x-kubernetes-map-type and x-kubernetes-list-type."""
    name = f"x-kubernetes-{what}-type"
    given = schema.get(name)
    if given is None:
        return []
    found: list[FieldError] = []
    own = schema.get("type") or ""
    if own != kind:
        why = f"must be {kind} if {name} is specified"
        found.append(field_errors.invalid(f"{path}.type", own, why) if own else field_errors.required(f"{path}.type", why))
    if given not in choices:
        found.append(field_errors.unsupported(f"{path}.{name}", given, choices))
    return found


def _list_keys(schema: Schema, path: str) -> list[FieldError]:
    keys, kind, items = schema.get("x-kubernetes-list-map-keys") or [], schema.get("x-kubernetes-list-type"), schema.get("items")
    found: list[FieldError] = []
    if keys and kind is None:
        found.append(field_errors.required(f"{path}.x-kubernetes-list-type", f"must be map {_HAS_KEYS}"))
    elif keys and kind != "map":
        found.append(field_errors.invalid(f"{path}.x-kubernetes-list-type", kind, f"must be map {_HAS_KEYS}"))
    if kind == "set" and isinstance(items, dict):
        found += _atomic_items(items, f"{path}.items")
    if kind != "map":
        return found
    where = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        found.append(field_errors.required(where, f"must not be empty {_IS_MAP}"))
    if not isinstance(items, dict):
        return [*found, field_errors.required(f"{path}.items", f"must have a schema {_IS_MAP}")]
    if items.get("type") != "object":
        return [*found, field_errors.invalid(f"{path}.items.type", items.get("type") or "", f"must be object {_PARENT_MAP}")]
    return found + _keys_of(items, keys, path, where)


def _keys_of(items: Schema, keys: list[str], path: str, where: str) -> list[FieldError]:
    found: list[FieldError] = []
    properties: dict[str, Schema] = items.get("properties") or {}
    for key in keys:
        part = properties.get(key)
        at = f"{path}.items.properties[{key}]"
        if part is None:
            found.append(field_errors.invalid(where, keys, "entries must all be names of item properties"))
            continue
        if part.get("type") in ("array", "object"):
            found.append(field_errors.invalid(f"{at}.type", "object", f"must be a scalar type {_PARENT_MAP}"))
        if part.get("default") is None and key not in (items.get("required") or ()):
            found.append(field_errors.required(f"{at}.default", _KEY_DEFAULT))
        if part.get("nullable"):
            why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            found.append(field_errors.forbidden(f"{at}.nullable", why))
    for index, key in enumerate(keys):
        if key in keys[:index]:
            found.append(field_errors.invalid(f"{where}[{index}]", keys, "must not contain duplicate entries"))
    return found


def _atomic_items(items: Schema, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    if items.get("nullable"):
        found.append(field_errors.forbidden(f"{path}.nullable", "cannot be nullable when x-kubernetes-list-type is set"))
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        given = items.get("x-kubernetes-map-type")
        where, why = f"{path}.x-kubernetes-map-type", f"must be atomic {_ATOMIC_ITEM}"
        found.append(field_errors.required(where, why) if given is None else field_errors.invalid(where, given, why))
    if items.get("type") == "array" and items.get("x-kubernetes-list-type") not in (None, "atomic"):
        where = f"{path}.x-kubernetes-list-type"
        found.append(field_errors.invalid(where, items["x-kubernetes-list-type"], f"must be atomic {_ATOMIC_ITEM}"))
    return found


def _default(schema: Schema, path: str) -> list[FieldError]:
    """A default is complete, has no unknown fields and is valid by its schema."""
    default = schema.get("default")
    if default is None:
        return []
    where = f"{path}.default"
    structural = Structural({"type": "object", "properties": {"default": schema}})
    walk = Settling(strict_metadata=False, defaults=False)
    pruned = walk.root({"default": default}, structural, None).get("default")
    if walk.unknown:
        return [field_errors.invalid(where, default, "must not have unknown fields")]
    complete = Settling(strict_metadata=False).root({"default": default}, structural, None).get("default", pruned)
    found = [
        error.at(where + error.field.removeprefix("default") if error.field != validation.NOWHERE else where)
        for error in validation.validate(schema, complete, "default")
    ]
    lists = list_types.errors({"default": complete}, structural)
    return found + [error.at(f"{path}.{error.field}") for error in lists]
