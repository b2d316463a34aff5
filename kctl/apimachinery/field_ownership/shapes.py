"""The shape of a change: all that decides who owns what after it, without the values.

Components write the same few kinds of changes over and over: a pod of a template, its status when it runs, an event. Two changes of one
shape change the sets of fields alike, so the outcome of the first is remembered for the next (tracker.py). A shape is hashable and says
which fields came, changed and went, down to the leaves that sets of fields know. Private keys (managed_fields.py) are taken out of it and
put into `private`, in the order met.

Every write of every component passes here: calls are few on purpose.
"""

from __future__ import annotations

from operator import eq
from typing import Any

from kctl.apimachinery.field_ownership.field_schema import UNTYPED, FieldType
from kctl.apimachinery.field_ownership.managed_fields import PRIVATE_KEYS

Shape = Any


class Shapeless(Exception):
    """The change is too unusual to be remembered."""


def of_change(old: dict[str, Any], new: dict[str, Any], field_type: Any, private: list[str]) -> Shape:
    """Of a granular map that was there before: () where nothing changed. Raises Shapeless."""
    shape: tuple[Any, ...] = ()
    fields = field_type._fields or field_type.fields
    values = field_type.values or UNTYPED
    for name in new:
        value = new[name]
        if name in old:
            before = old[name]
            if before is value or before == value:
                continue
            inner = fields[name] if name in fields else values  # noqa: SIM401 - no call
            if not inner.nested:
                shape += (name, 2)
            elif value and before and value.__class__ is before.__class__ and value.__class__ in (dict, list):
                if value.__class__ is dict:
                    if inner.map_kind != "granular":
                        raise Shapeless
                    shape += (name, of_change(before, value, inner, private))
                elif inner.list_kind == "map":
                    earlier = _by_key(before, inner, private)
                    later = _by_key(value, inner, private)  # type: ignore[arg-type]
                    shape += (name, (*earlier,), of_change(earlier, later, _Items(inner.item or UNTYPED), private))
                elif inner.list_kind == "set":
                    shape += (name, (*before,), (*value,))
                else:
                    raise Shapeless
            else:
                shape += (name, 3, of_value(before, inner, private), of_value(value, inner, private))
        else:
            inner = fields[name] if name in fields else values  # noqa: SIM401
            shape += (name, 1, of_value(value, inner, private) if inner.nested else None)
    for name in old:
        if name not in new:
            inner = fields[name] if name in fields else values  # noqa: SIM401
            shape += (name, 0, of_value(old[name], inner, private) if inner.nested else None)
    return shape


def of_value(value: Any, field_type: FieldType, private: list[str]) -> Shape:
    """Of a whole value, of a type with something below it, that comes or goes. Raises Shapeless."""
    kind = value.__class__
    if kind is dict:
        if field_type.map_kind != "granular" or not value:
            return kind
        shape: tuple[Any, ...] = (*value,)
        nested = field_type._nested_fields
        for name, inner in field_type.nested_fields if nested is None else nested:
            if name in value:
                shape += (of_value(value[name], inner, private),)
        values = field_type.values
        if values is not None and values.nested:
            for name in value:
                if name not in field_type.fields:
                    shape += (name, of_value(value[name], values, private))
        return shape
    if kind is list and value:
        if field_type.list_kind == "set":
            return ("v", *value)
        if field_type.list_kind == "map":
            item_type = field_type.item or UNTYPED
            items = _by_key(value, field_type, private)
            shape = (*items,)
            if item_type.nested:
                for key in items:
                    shape += (of_value(items[key], item_type, private),)
            return shape
    return kind


class Blank:
    """A kind's zero object (or a part of it), from which new objects are seen as changes."""

    __slots__ = ("_others", "_parts", "_values", "names")

    def __init__(self, zero: dict[str, Any], field_type: FieldType) -> None:
        parts = dict(field_type.nested_fields)
        others = field_type.values
        self._others = others if others is not None and others.nested else None
        plain = {name: value for name, value in zero.items() if name not in parts}
        self.names, self._values = tuple(plain), tuple(plain.values())
        self._parts: dict[str, tuple[FieldType, Blank | None]] = {}
        for name, inner in parts.items():
            whole = inner.map_kind == "granular" and not inner.list_kind and zero.get(name).__class__ is dict
            self._parts[name] = inner, Blank(zero[name], inner) if whole else None

    def shape(self, obj: dict[str, Any], private: list[str]) -> Shape:
        """Of an object that is made. Raises Shapeless."""
        shape: tuple[Any, ...] = (*obj, *map(eq, map(obj.get, self.names), self._values))
        parts = self._parts
        for name in parts:
            if name in obj:
                value = obj[name]
                inner, blank = parts[name]
                if blank is None or value.__class__ is not dict:
                    shape += (of_value(value, inner, private),)
                else:
                    flat = not blank.names and blank._others is None  # an event has nothing below its metadata, source, ...
                    for part in blank._parts:
                        if part in value:
                            flat = False
                    shape += ((*value,) if flat else blank.shape(value, private),)
        if self._others is not None:
            for name in obj:
                if name not in parts:
                    shape += (name, of_value(obj[name], self._others, private))
        return shape


class _Items:
    """The items of a list map, seen as a map by their keys."""

    __slots__ = ("_fields", "fields", "values")

    def __init__(self, item: FieldType) -> None:
        self.fields: dict[str, FieldType] = {}
        self._fields = self.fields
        self.values = item


def _by_key(items: list[Any], field_type: FieldType, private: list[str]) -> dict[Any, Any]:
    """Raises Shapeless where a key is missing or not unique."""
    found: dict[Any, Any] = {}
    keys = field_type.keys
    only = keys[0] if keys[1:] == () else ""
    for item in items:
        if item.__class__ is not dict:
            raise Shapeless
        key: Any
        if only:
            if only not in item:
                raise Shapeless
            key = item[only]
            if only in PRIVATE_KEYS:
                if key.__class__ is not str:
                    raise Shapeless
                if key not in private:
                    private += (key,)
                key = private.index(key)
        else:
            key = tuple([item[name] if name in item else field_type.key_defaults.get(name) for name in keys])
        if key in found:
            raise Shapeless
        found[key] = item
    return found
