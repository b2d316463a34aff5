"""The shape of a change: all that decides who owns what after it, without the values.

Components write the same few kinds of changes over and over: a pod of a template, its status when it runs, an event. Two changes of one
shape change the sets of fields alike, so the outcome of the first is remembered for the next (tracker.py). A shape is hashable and says
which fields came, changed and went, down to the leaves that sets of fields know. Private keys (managed_fields.py) are taken out of it and
put into `private`, in the order met.
"""

from __future__ import annotations

from operator import eq
from typing import Any

from kctl.apimachinery.field_ownership.field_schema import UNTYPED, FieldType
from kctl.apimachinery.field_ownership.managed_fields import PRIVATE_KEYS

Shape = Any
_LARGE = 100
"""Entries of a map or list from which on a shape is no longer worth remembering."""


class Shapeless(Exception):
    """The change is too unusual to be remembered."""


def of_change(old: dict[str, Any], new: dict[str, Any], field_type: FieldType, private: list[str]) -> Shape:
    """Of a granular map that was there before: () where nothing changed. Raises Shapeless."""
    shape: tuple[Any, ...] = ()
    fields = field_type.fields
    for name in new:
        value = new[name]
        if name not in old:
            inner = fields[name] if name in fields else field_type.values or UNTYPED
            shape += (name, 1, of_value(value, inner, private))
            continue
        before = old[name]
        if before is value or before == value:
            continue
        inner = fields[name] if name in fields else field_type.values or UNTYPED
        if inner.map_kind == "granular" and value.__class__ is dict and before.__class__ is dict and value and before:
            shape += (name, of_change(before, value, inner, private))
        elif inner.list_kind and value.__class__ is list and before.__class__ is list and value and before:
            shape += (name, _of_items(before, value, inner, private) if inner.keys or inner.list_kind == "set" else 2)
        elif inner.map_kind != "granular" and (not inner.list_kind or inner.list_kind == "atomic"):
            shape += (name, 2)
        else:
            shape += (name, 3, of_value(before, inner, private), of_value(value, inner, private))
    for name in old:
        if name not in new:
            inner = fields[name] if name in fields else field_type.values or UNTYPED
            shape += (name, 0, of_value(old[name], inner, private))
    return shape


def of_value(value: Any, field_type: FieldType, private: list[str]) -> Shape:
    """Of a whole value that comes or goes. Raises Shapeless."""
    kind = value.__class__
    if kind is dict:
        if field_type.map_kind != "granular" or not value:
            return kind
        if len(value) > _LARGE:
            raise Shapeless
        shape: tuple[Any, ...] = (*value,)
        for name, inner in field_type.nested_fields:
            if name in value:
                shape += (of_value(value[name], inner, private),)
        values = field_type.values
        if values is not None and values.nested:
            for name in value:
                if name not in field_type.fields:
                    shape += (name, of_value(value[name], values, private))
        return shape
    if kind is list and field_type.list_kind in ("map", "set") and value:
        if len(value) > _LARGE:
            raise Shapeless
        item_type = field_type.item or UNTYPED
        if field_type.list_kind == "set":
            return ("v", *value)
        return tuple((element, of_value(item, item_type, private)) for element, item in _by_key(value, field_type, private))
    return kind if field_type.nested else None


def _of_items(old: list[Any], new: list[Any], field_type: FieldType, private: list[str]) -> Shape:
    if field_type.list_kind == "set":
        return ("v", tuple(old), tuple(new))
    before, after = dict(_by_key(old, field_type, private)), dict(_by_key(new, field_type, private))
    if len(before) != len(old) or len(after) != len(new):
        raise Shapeless
    return (tuple(before), of_change(before, after, _Items(field_type.item or UNTYPED), private))


class Blank:
    """A kind's zero object (or a part of it), from which new objects are seen as changes."""

    def __init__(self, zero: dict[str, Any], field_type: FieldType) -> None:
        self._type = field_type
        parts = dict(field_type.nested_fields)
        plain = {name: value for name, value in zero.items() if name not in parts}
        self._names, self._values = tuple(plain), tuple(plain.values())
        self._parts: list[tuple[str, FieldType, Blank | None]] = []
        for name, inner in parts.items():
            whole = inner.map_kind == "granular" and not inner.list_kind and zero.get(name).__class__ is dict
            self._parts.append((name, inner, Blank(zero[name], inner) if whole else None))

    def shape(self, obj: dict[str, Any], private: list[str]) -> Shape:
        """Of an object that is made. Raises Shapeless."""
        shape: tuple[Any, ...] = (*obj, *map(eq, map(obj.get, self._names), self._values))
        for name, inner, blank in self._parts:
            if name in obj:
                value = obj[name]
                if blank is not None and value.__class__ is dict:
                    shape += (blank.shape(value, private),)
                else:
                    shape += (of_value(value, inner, private),)
        return shape


class _Items:
    """The items of a list map, seen as a map by their keys."""

    __slots__ = ("fields", "values")

    def __init__(self, item: FieldType) -> None:
        self.fields: dict[str, FieldType] = {}
        self.values = item


def _by_key(items: list[Any], field_type: FieldType, private: list[str]) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    keys = field_type.keys
    for item in items:
        if item.__class__ is not dict:
            raise Shapeless
        if len(keys) == 1 and keys[0] in item:
            key = item[keys[0]]
            if keys[0] in PRIVATE_KEYS:
                if key.__class__ is not str:
                    raise Shapeless
                if key not in private:
                    private.append(key)
                key = private.index(key)
        else:
            key = tuple(item.get(name, field_type.key_defaults.get(name)) for name in keys)
        found.append((key, item))
    return found
