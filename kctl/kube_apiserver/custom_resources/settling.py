"""From a custom resource as somebody wrote it to the one that is stored: fields the schema does not know are pruned, nulls that may not
be are dropped, defaults are filled in, the metadata of embedded resources is made canonical (upstream's pruning, defaulting and
objectmeta.Coerce, in one pass). Keys come out in alphabetical order, as Go writes maps.

Runs on what is written and, where a definition has changed since, on what is read.
"""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.field_errors import go_value
from kctl.apimachinery.objects import deep_copy
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.diagnose import DecodeError
from kctl.apimachinery.schema.schemas import OBJECT_META
from kctl.kube_apiserver.custom_resources.structural import META_FIELDS, Structural

_EXACT = 1e21
"""From here on Go writes a float with an exponent."""
_NOWHERE = Structural({})
_SCALARS = frozenset({str, bool, int, type(None)})


class Settling:
    """One pass over one object. `unknown` fills with the paths of what was pruned."""

    __slots__ = ("_fills", "_strict_metadata", "unknown")

    def __init__(self, *, strict_metadata: bool = True, defaults: bool = True) -> None:
        """`strict_metadata`: malformed metadata of an embedded resource raises DecodeError instead of being left as it is.
        `defaults` False: nothing is filled in, as after a conversion between versions."""
        self._strict_metadata = strict_metadata
        self._fills = defaults
        self.unknown: list[str] = []

    def root(self, obj: dict[str, Any], schema: Structural | None, metadata: dict[str, Any] | None) -> dict[str, Any]:
        """A new object with `metadata` (nothing where it is None); everything but that and the type is settled by the schema."""
        schema = schema or _NOWHERE
        out: dict[str, Any] = {}
        for key in sorted(obj):
            if key not in META_FIELDS:
                self._field(out, obj, key, schema, "")
            elif key != "metadata":
                out[key] = obj[key]
        if metadata is not None:
            out["metadata"] = metadata
        if self._fills:
            _fill(out, schema, META_FIELDS)
        return {key: out[key] for key in sorted(out)}

    def _field(self, out: dict[str, Any], given: dict[str, Any], key: str, schema: Structural, path: str) -> None:
        value, where = given[key], f"{path}.{key}" if path else key
        part = schema.properties.get(key)
        if part is None:
            if schema.additional is None:
                if schema.preserves:
                    out[key] = canonical(value)
                elif schema.allows_additional:
                    out[key] = self._value(value, None, where)
                else:
                    self.unknown.append(where)
                return
            part = schema.additional
        if value is None and not part.nullable:
            if not part.has_default or not self._fills:
                return
            value = deep_copy(part.default)
        out[key] = self._value(value, part, where)

    def _value(self, value: Any, schema: Structural | None, path: str) -> Any:
        """`schema` None: of a value nothing is known, and nothing in it is kept."""
        kind = value.__class__
        if kind in _SCALARS:
            return value
        if kind is float:
            return _number(value)
        if kind is dict:
            return self._map(value, schema or _NOWHERE, path)
        if schema is not None and schema.items is None and schema.preserves:
            return canonical(value)
        return self._list(value, schema, path)

    def _map(self, given: dict[str, Any], schema: Structural, path: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key in sorted(given):
            if schema.embedded and key in META_FIELDS:
                out[key] = self._metadata(given[key], path) if key == "metadata" else given[key]
            else:
                self._field(out, given, key, schema, path)
        if not self._fills or not _fill(out, schema):
            return out
        return {key: out[key] for key in sorted(out)}

    def _list(self, given: list[Any], schema: Structural | None, path: str) -> list[Any]:
        part = schema.items if schema is not None else None
        out = []
        for index, item in enumerate(given):
            if item is None and part is not None and not part.nullable:
                item = deep_copy(part.default)
            if item.__class__ is list and part is None and schema is not None and schema.preserves:
                item = canonical(item)
            out.append(self._value(item, part, f"{path}[{index}]"))
        return out

    def _metadata(self, meta: Any, path: str) -> Any:
        """Of an embedded resource. Raises DecodeError."""
        if meta is None:
            return None
        try:
            decoded = schemas.load().for_type(OBJECT_META).decode(meta)
        except DecodeError as error:
            if not self._strict_metadata:
                return canonical(meta)
            raise DecodeError(f"{path}.metadata: Invalid value: {go_value(meta)}: {error}") from None
        self.unknown += [f"{path}.metadata.{field}" for field in decoded.unknown_fields]
        return canonical(decoded.object)


def _fill(out: dict[str, Any], schema: Structural, except_for: frozenset[str] = frozenset()) -> bool:
    """Defaults for properties that are missing; whether there were any."""
    if not schema.sets_defaults:
        return False
    filled = False
    for name, part in schema.properties.items():
        if part.has_default and name not in out and name not in except_for:
            out[name] = with_defaults(deep_copy(part.default), part)
            filled = True
    return filled


def with_defaults(value: Any, schema: Structural | None) -> Any:
    """A private value with its defaults, changed in place."""
    if schema is None or not schema.sets_defaults:
        return value
    if isinstance(value, dict):
        _fill(value, schema)
        for key in value:
            value[key] = with_defaults(value[key], schema.below(key))
        return {key: value[key] for key in sorted(value)}
    if isinstance(value, list):
        return [with_defaults(item, schema.items) for item in value]
    return value


def canonical(value: Any) -> Any:
    """A private copy of JSON data as Go writes it: keys in order, whole numbers without a fraction."""
    kind = value.__class__
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {key: canonical(value[key]) for key in sorted(value)}
    if kind is list:
        return [canonical(item) for item in value]
    return _number(value)


def _number(value: float) -> float | int:
    return int(value) if value.is_integer() and abs(value) < _EXACT else value
