"""What server-side apply must know of a type: whether a value merges field by field, item by item, or as a whole.

`FieldType` is the seam: built-in kinds make theirs of the schema bundle (builtin_fields.py), custom resources of their structural schema;
what no schema speaks of is `DEDUCED`. A type may allow several forms of JSON (an int or a string, anything at all): the value decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_NOTHING: Mapping[str, Any] = {}


class FieldType:
    """One type. Its fields are made on first use, so a type may contain itself.

    `scalar`: string, numeric, boolean, untyped (any of them), '' where no scalar is allowed.
    `map_kind`: granular (merged field by field), atomic, '' where no map is. `fields` are those of a struct; `values` is the type of all
    other keys, None where no others are allowed.
    `list_kind`: map (items known by `keys`, of which `key_defaults` may be left out), set, atomic, ''. `item` is the type of an item.
    """

    __slots__ = (
        "_fields",
        "_make",
        "_nested_fields",
        "item",
        "key_defaults",
        "keys",
        "list_kind",
        "map_kind",
        "nested",
        "scalar",
        "values",
    )

    def __init__(
        self,
        *,
        scalar: str = "",
        map_kind: str = "",
        fields: Callable[[], Mapping[str, FieldType]] | None = None,
        values: FieldType | None = None,
        list_kind: str = "",
        item: FieldType | None = None,
        keys: tuple[str, ...] = (),
        key_defaults: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.scalar = scalar
        self.map_kind = map_kind
        self.values = values
        self.list_kind = list_kind
        self.item = item
        self.keys = tuple(sorted(keys))
        self.key_defaults = key_defaults
        self.nested = map_kind == "granular" or list_kind in ("map", "set")
        """Whether there is anything below a value that is owned by itself."""
        self._make = fields
        self._fields: Mapping[str, FieldType] | None = None
        self._nested_fields: tuple[tuple[str, FieldType], ...] | None = None

    @property
    def fields(self) -> Mapping[str, FieldType]:
        if self._fields is None:
            self._fields = self._make() if self._make is not None else _NOTHING
        return self._fields

    @property
    def nested_fields(self) -> tuple[tuple[str, FieldType], ...]:
        """The fields below which there is something owned by itself, with their types."""
        if self._nested_fields is None:
            self._nested_fields = tuple((name, inner) for name, inner in self.fields.items() if inner.nested)
        return self._nested_fields

    def field(self, name: str) -> FieldType | None:
        """The type of a field of a struct or of a key of a map; None where there may be none of that name."""
        return self.fields.get(name) or self.values

    def form_of(self, value: Any) -> str:
        """map, list or scalar: which of the forms this type allows `value` has; the first allowed one where it has none of them
        (null, or what is not valid)."""
        if isinstance(value, dict):
            if self.map_kind:
                return "map"
        elif isinstance(value, list):
            if self.list_kind:
                return "list"
        elif value is not None and self.scalar:
            return "scalar"
        return "map" if self.map_kind else "scalar" if self.scalar else "list"

    @property
    def is_leaf_list(self) -> bool:
        return self.list_kind not in ("map", "set")

    @property
    def is_leaf_map(self) -> bool:
        return self.map_kind != "granular"


UNTYPED = FieldType(scalar="untyped", map_kind="atomic", list_kind="atomic")
"""Anything, owned as a whole."""
UNTYPED.values = UNTYPED.item = UNTYPED
DEDUCED = FieldType(scalar="untyped", map_kind="granular", list_kind="atomic", item=UNTYPED)
"""Anything: maps merge, lists are owned as a whole."""
DEDUCED.values = DEDUCED
STRING, NUMERIC, BOOLEAN, SCALAR = (FieldType(scalar=kind) for kind in ("string", "numeric", "boolean", "untyped"))
