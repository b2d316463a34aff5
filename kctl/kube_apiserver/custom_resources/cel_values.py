"""A custom resource as CEL sees it: types from its schema, values by their schemas, and field names that are identifiers (upstream's
schema/cel/model and pkg/cel/openapi)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from kctl.kube_apiserver.cel import types
from kctl.kube_apiserver.cel.parser import RESERVED
from kctl.kube_apiserver.cel.standard import duration, timestamp
from kctl.kube_apiserver.cel.values import CelError, ListValue, MapValue
from kctl.kube_apiserver.custom_resources.structural import Structural

_KEYWORDS = RESERVED | {"true", "false", "null", "in"}
_ACCESSIBLE = re.compile(r"[a-zA-Z_.\-/][a-zA-Z0-9_.\-/]*")
_ESCAPED = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_METADATA = ("object", "objectmeta", {"name": types.STRING, "generateName": types.STRING})
_TYPE_META = {"apiVersion": types.STRING, "kind": types.STRING, "metadata": _METADATA}
_META_SCHEMA = Structural({"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}})
_TEXT = Structural({"type": "string"})
_META_PROPERTIES = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _META_SCHEMA}


@lru_cache(maxsize=4096)
def escaped(name: str) -> str:
    """The identifier of a property; '' for one that expressions cannot name."""
    if _ACCESSIBLE.fullmatch(name) is None:
        return ""
    if name in _KEYWORDS:
        return f"__{name}__"
    for plain, escape in _ESCAPED:
        name = name.replace(plain, escape)
    return name


def type_of(schema: Structural, name: str = "selfType", *, is_resource: bool = False) -> types.Type:
    """`name` is the type's own, should it be an object; `is_resource`: with apiVersion, kind and metadata."""
    if schema.int_or_string:
        return types.DYN
    match schema.type:
        case "array":
            return ("list", type_of(schema.items, f"{name}.@idx") if schema.items is not None else types.DYN)
        case "object":
            return _object_type(schema, name, is_resource or schema.embedded)
        case "string":
            return _TEXT_TYPES.get(schema.schema.get("format") or "", types.STRING)
        case "integer":
            return types.INT
        case "number":
            return types.DOUBLE
        case "boolean":
            return types.BOOL
    return types.DYN


_TEXT_TYPES = {"byte": types.BYTES, "duration": types.DURATION, "date": types.TIMESTAMP, "date-time": types.TIMESTAMP}


def _object_type(schema: Structural, name: str, is_resource: bool) -> types.Type:
    if schema.additional is not None and not schema.properties:
        return ("map", types.STRING, type_of(schema.additional, f"{name}.@elem"))
    fields = {}
    for key, part in schema.properties.items():
        identifier = escaped(key)
        if identifier and not (is_resource and key in _TYPE_META):
            fields[identifier] = type_of(part, f"{name}.{identifier}")
    return ("object", name, {**fields, **_TYPE_META} if is_resource else fields)


def value_of(value: Any, schema: Structural | None, *, is_resource: bool = False) -> Any:
    """Parts are made when somebody looks at them."""
    match value:
        case dict():
            return _map_of(value, schema, is_resource)
        case list():
            kind, keys = (schema.list_type, tuple(map(escaped, schema.list_keys))) if schema is not None else ("", ())
            part = schema.items if schema is not None else None
            return ListValue([value_of(item, part) for item in value], "" if kind == "atomic" else kind, keys)
        case str() if schema is not None and schema.type == "string":
            return _text(value, schema.schema.get("format") or "")
        case bool():
            return value
        case int() if schema is not None and schema.type == "number":
            return float(value)
        case float() if schema is not None and schema.type == "integer" and value.is_integer():
            return int(value)
    return value


def _map_of(value: dict[str, Any], schema: Structural | None, is_resource: bool) -> MapValue:
    if schema is None:
        return MapValue({key: value_of(item, None) for key, item in value.items()})
    if schema.additional is not None and not schema.properties:
        return MapValue(_Fields(value, {key: (key, schema.additional) for key in value}))
    known = {**schema.properties, **_META_PROPERTIES} if is_resource or schema.embedded else schema.properties
    named = ((escaped(key), key, part) for key, part in known.items() if key in value)
    return MapValue(_Fields(value, {identifier: (key, part) for identifier, key, part in named if identifier}), is_object=True)


class _Fields(Mapping[str, Any]):
    """The fields of an object by their identifiers, each made once."""

    __slots__ = ("_made", "_named", "_value")

    def __init__(self, value: dict[str, Any], named: dict[str, tuple[str, Structural]]) -> None:
        self._value = value
        self._named = named
        self._made: dict[str, Any] = {}

    def __getitem__(self, identifier: str) -> Any:
        if identifier not in self._made:
            key, schema = self._named[identifier]
            self._made[identifier] = value_of(self._value[key], schema)
        return self._made[identifier]

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._named

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


def _text(value: str, format: str) -> Any:
    try:
        match format:
            case "date-time":
                return timestamp(value)
            case "date":
                return timestamp(f"{value}T00:00:00Z")
            case "duration":
                return duration(value)
            case "byte":
                return base64.b64decode(value, validate=True)
    except (CelError, binascii.Error, ValueError):
        return value
    return value
