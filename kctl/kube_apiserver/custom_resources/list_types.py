"""What x-kubernetes-list-type promises: items of a set, and keys of a list of type map, are there once."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema.patch_meta import identity
from kctl.kube_apiserver.custom_resources.structural import Structural


def errors(obj: dict[str, Any], schema: Structural) -> list[FieldError]:
    found: list[FieldError] = []
    _map(obj, schema, "", found)
    return found


def _map(value: dict[str, Any], schema: Structural, path: str, found: list[FieldError]) -> None:
    for key, item in value.items():
        if item.__class__ is not dict and item.__class__ is not list:
            continue
        part = schema.properties.get(key)
        if part is not None:
            _value(item, part, f"{path}.{key}" if path else key, found)
        elif schema.additional is not None:
            _value(item, schema.additional, f"{path}[{key}]", found)


def _value(value: Any, schema: Structural, path: str, found: list[FieldError]) -> None:
    if value.__class__ is dict:
        _map(value, schema, path, found)
        return
    if value.__class__ is not list:
        return
    if schema.list_type == "set":
        found += [field_errors.duplicate(f"{path}[{index}]", value[index]) for index in _repeated(value)]
    elif schema.list_type == "map":
        found += _repeated_keys(value, schema.list_keys, path)
    if schema.items is not None:
        for index, item in enumerate(value):
            _value(item, schema.items, f"{path}[{index}]", found)


def _repeated_keys(items: list[Any], keys: tuple[str, ...], path: str) -> list[FieldError]:
    for index, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            return [field_errors.invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")]
    shown = [{key: item[key] for key in keys if key in item} if item else {} for item in items]
    return [field_errors.duplicate(f"{path}[{index}]", shown[index]) for index in _repeated(shown)]


def _repeated(values: list[Any]) -> list[int]:
    """Where each value that is there more than once is seen the second time."""
    times: dict[Any, int] = {}
    found = []
    for index, value in enumerate(values):
        key = identity(value)
        times[key] = times.get(key, 0) + 1
        if times[key] == 2:
            found.append(index)
    return found
