"""How server-side apply sees a custom resource: the field types of a structural schema, and a kind in one of its versions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from kctl.apimachinery.field_ownership import builtin_fields, sets
from kctl.apimachinery.field_ownership.field_schema import BOOLEAN, DEDUCED, NUMERIC, SCALAR, STRING, FieldType
from kctl.apimachinery.field_ownership.managers import Filter
from kctl.apimachinery.field_ownership.paths import fields
from kctl.apimachinery.field_ownership.tracker import Tracker
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.custom_resources.schema import CustomSchema
from kctl.kube_apiserver.custom_resources.structural import Structural

_SCALARS = {"integer": NUMERIC, "number": NUMERIC, "boolean": BOOLEAN}
_TEXTS = ("", "byte")
"""The formats in which a string is known to be one."""


def field_type(schema: Structural, *, root: bool = False) -> FieldType:
    """What a structural schema says of who may own what."""
    if schema.int_or_string:
        return SCALAR
    if schema.type == "object" or root:
        return _object(schema, resource=root or schema.embedded)
    if schema.type == "array":
        return _list(schema)
    if schema.type == "string":
        return STRING if (schema.schema.get("format") or "") in _TEXTS else SCALAR
    return _SCALARS.get(schema.type, DEDUCED)


def _object(schema: Structural, *, resource: bool) -> FieldType:
    values = field_type(schema.additional) if schema.additional is not None else None
    if values is None and (schema.preserves or schema.allows_additional or not (schema.properties or resource)):
        values = DEDUCED
    kind = "atomic" if schema.map_type == "atomic" else "granular"
    return FieldType(map_kind=kind, fields=partial(_fields, schema, resource), values=values)


def _fields(schema: Structural, resource: bool) -> Mapping[str, FieldType]:
    found = {name: field_type(part) for name, part in schema.properties.items()}
    if resource:
        found |= {"apiVersion": STRING, "kind": STRING, "metadata": builtin_fields.field_type("v1", "Namespace").fields["metadata"]}
    return found


def _list(schema: Structural) -> FieldType:
    items = schema.items
    item = field_type(items) if items is not None else DEDUCED
    if schema.list_type == "map" and items is not None:
        defaults = {key: items.properties[key].default for key in schema.list_keys if key in items.properties}
        present = {key: value for key, value in defaults.items() if value is not None}
        return FieldType(list_kind="map", item=item, keys=schema.list_keys, key_defaults=present)
    return FieldType(list_kind="set" if schema.list_type == "set" else "atomic", item=item)


class Served(Protocol):
    """What is asked of a custom resource's endpoint."""

    resource: ResourceType
    has_status: bool

    def schema_of_version(self, api_version: str) -> CustomSchema | None: ...

    def convert(self, obj: Object, version: str) -> Object: ...


class CustomForm:
    """A kind in one version, for one of its (sub)resources (managers.Form)."""

    def __init__(self, endpoint: Served, subresource: str, api_version: str) -> None:
        schema = endpoint.schema_of_version(api_version)
        assert schema is not None
        self._endpoint = endpoint
        self._subresource = subresource
        self.api_version = api_version
        self.field_type = field_type(schema.structural, root=True)
        self.zero: Object = {"apiVersion": api_version, "kind": endpoint.resource.kind, "metadata": {}}
        self.filter = Filter(sets.of_paths(*_reset(endpoint, subresource)))

    def other(self, api_version: str) -> CustomForm | None:
        if self._endpoint.schema_of_version(api_version) is None:
            return None
        return CustomForm(self._endpoint, self._subresource, api_version)

    def convert(self, obj: Object, api_version: str) -> Object:
        if obj.get("apiVersion") == api_version:
            return obj
        return self._endpoint.convert(obj, api_version.rpartition("/")[2])


def _reset(endpoint: Served, subresource: str) -> list[sets.Path]:
    """What writes to the (sub)resource do not count for."""
    if subresource == "status":
        return [fields("metadata"), fields("spec")]
    return [fields("status")] if endpoint.has_status and subresource != "scale" else []


def tracker(endpoint: Served, subresource: str) -> Tracker:
    return Tracker(CustomForm(endpoint, subresource, endpoint.resource.api_version), subresource)
