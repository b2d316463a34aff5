"""The field types of the built-in kinds, made of the schema bundle (x-kubernetes-list-type, -list-map-keys, -map-type)."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from kctl.apimachinery.field_ownership.field_schema import BOOLEAN, DEDUCED, NUMERIC, SCALAR, STRING, UNTYPED, FieldType
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.bundle import Bundle

_SCALARS = {
    "s": STRING,
    "y": STRING,
    "i32": NUMERIC,
    "i64": NUMERIC,
    "n": NUMERIC,
    "b": BOOLEAN,
    "q": SCALAR,
    "t": SCALAR,
    "T": SCALAR,
    "x": SCALAR,
    "oa": UNTYPED,
    "ob": UNTYPED,
    "os": UNTYPED,
    "r": UNTYPED,
}
_KEY_DEFAULTS = {"protocol": "TCP"}
"""Of the keys of list maps the one that has a default (ports of containers and Services)."""


def field_type(api_version: str, kind: str) -> FieldType:
    """Of a kind; DEDUCED for kinds that are not built in."""
    name = schemas.load().type_name(api_version, kind)
    return _struct(name) if name else DEDUCED


@cache
def _struct(name: str) -> FieldType:
    bundle = schemas.load().bundle
    if name not in bundle:
        return UNTYPED
    atomic = name in bundle.header["atomic"]
    return FieldType(map_kind="atomic" if atomic else "granular", fields=partial(_fields, bundle, name))


def _fields(bundle: Bundle, name: str) -> dict[str, FieldType]:
    return {row[0]: _typed(row[1], row[3] if len(row) > 3 else {}) for row in bundle.entry(name)}


def _typed(code: str, facts: dict[str, Any]) -> FieldType:
    if code.startswith("["):
        keys = tuple(facts.get("keys", ()))
        kind = facts.get("list") or "atomic"
        defaults = {key: value for key, value in _KEY_DEFAULTS.items() if key in keys}
        return FieldType(list_kind=kind, item=_typed(code[1:], {}), keys=keys, key_defaults=defaults)
    if code.startswith("{"):
        return FieldType(map_kind=facts.get("map") or "granular", values=_typed(code[1:], {}))
    if code.startswith("@"):
        found = _struct(code[1:])
        overridden = facts.get("map")
        if overridden and overridden != found.map_kind:
            return FieldType(map_kind=overridden, fields=lambda: found.fields)
        return found
    return _SCALARS[code]
