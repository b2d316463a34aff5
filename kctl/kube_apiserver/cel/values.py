"""CEL's values in Python: what Python has no own type for, and errors.

int is int64, Uint uint64, float double, str, bytes, bool, None; lists and maps are ListValue and MapValue (which know how Kubernetes
compares and adds lists by their list type); timestamps and durations are datetime and timedelta.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kctl.kube_apiserver.cel import effort
from kctl.kube_apiserver.cel.errors import CelError as CelError
from kctl.kube_apiserver.cel.errors import CostExceeded as CostExceeded
from kctl.kube_apiserver.cel.errors import no_such_overload as no_such_overload

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1


class Uint(int):
    __slots__ = ()


class TypeValue:
    """type(x)"""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeValue) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


class Optional:
    """A value, or none."""

    __slots__ = ("present", "value")

    def __init__(self, value: Any = None, *, present: bool = True) -> None:
        self.value = value
        self.present = present


NONE = Optional(present=False)


class ListValue(Sequence[Any]):
    """A list. `kind` is '', set or map; `keys` tell the items of a map apart."""

    __slots__ = ("items", "keys", "kind")

    def __init__(self, items: Sequence[Any], kind: str = "", keys: tuple[str, ...] = ()) -> None:
        self.items = items
        self.kind = kind
        self.keys = keys

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def key_of(self, item: Any) -> Any:
        """What an item of a list of type map is told apart by."""
        return tuple(hashable(item.get(key)) if isinstance(item, MapValue) else None for key in self.keys)


class MapValue(Mapping[Any, Any]):
    """A map, or an object: the same to CEL but for how a missing key is worded."""

    __slots__ = ("entries", "is_object")
    otherwise: Any = None
    """What stands at keys that it does not have; None where that is an error."""

    def __init__(self, entries: Mapping[Any, Any], *, is_object: bool = False) -> None:
        self.entries = entries
        self.is_object = is_object

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, key: Any) -> Any:
        return self.entries[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.entries)


class MadeObject(MapValue):
    """What Name{...} makes."""

    __slots__ = ("cel_type",)

    def __init__(self, cel_type: str, entries: Mapping[Any, Any]) -> None:
        super().__init__(entries, is_object=True)
        self.cel_type = cel_type


def hashable(value: Any) -> Any:
    """Something that is equal for equal values."""
    match value:
        case bool():
            return ("bool", value)
        case int() | float():
            return float(value) if float(value) == value else int(value)
        case ListValue():
            effort.spend(len(value))
            return tuple(map(hashable, value))
        case MapValue():
            effort.spend(len(value))
            return frozenset((hashable(key), hashable(item)) for key, item in value.items())
    return value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """Values of different types are never equal, numbers of different types may be."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    match left:
        case None:
            return right is None
        case bool():
            return isinstance(right, bool) and left is right
        case ListValue():
            effort.spend(1 + len(left))
            return isinstance(right, ListValue) and _lists_equal(left, right)
        case MapValue():
            effort.spend(1 + len(left))
            return (
                isinstance(right, MapValue)
                and len(left) == len(right)
                and all(key in right.entries and equal(item, right[key]) for key, item in left.items())
            )
        case Optional():
            if not isinstance(right, Optional) or left.present != right.present:
                return False
            return not left.present or equal(left.value, right.value)
    return type(left) is type(right) and bool(left == right)


def _lists_equal(left: ListValue, right: ListValue) -> bool:
    if len(left) != len(right):
        return False
    kind = left.kind or right.kind
    if kind == "set":
        return {hashable(item) for item in left} == {hashable(item) for item in right}
    if kind == "map":
        by = left if left.kind else right
        known = {by.key_of(item): item for item in right}
        return all(by.key_of(item) in known and equal(item, known[by.key_of(item)]) for item in left)
    return all(map(equal, left, right))


def add_lists(left: ListValue, right: ListValue) -> ListValue:
    """By the type of the left one: a union of sets, a merge by keys, or one after the other."""
    effort.spend(len(left) + len(right))
    if left.kind == "set":
        known = {hashable(item) for item in left}
        return ListValue([*left, *(item for item in right if hashable(item) not in known)], "set")
    if left.kind == "map":
        merged = {left.key_of(item): item for item in left}
        merged.update((left.key_of(item), item) for item in right)
        return ListValue(list(merged.values()), "map", left.keys)
    return ListValue([*left, *right])


def type_name(value: Any) -> str:
    match value:
        case None:
            return "null_type"
        case bool():
            return "bool"
        case Uint():
            return "uint"
        case int():
            return "int"
        case float():
            return "double"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case ListValue():
            return "list"
        case MapValue():
            return str(getattr(value, "cel_type", "map"))
        case datetime():
            return "google.protobuf.Timestamp"
        case timedelta():
            return "google.protobuf.Duration"
        case Optional():
            return "optional_type"
        case TypeValue():
            return "type"
    return str(getattr(value, "cel_type", "dyn"))


def integer(value: int) -> int:
    """Raises CelError outside of int64."""
    if not INT_MIN <= value <= INT_MAX:
        raise CelError("integer overflow")
    return value


def unsigned(value: int) -> Uint:
    if not 0 <= value <= UINT_MAX:
        raise CelError("unsigned integer overflow")
    return Uint(value)


def size_of(value: Any) -> int:
    """For the cost of going through a value."""
    if isinstance(value, str | bytes | ListValue | MapValue):
        return len(value)
    return 1


def wrap(value: Any) -> Any:
    """JSON data without a schema."""
    if isinstance(value, list):
        return ListValue([wrap(item) for item in value])
    if isinstance(value, dict):
        return MapValue({key: wrap(item) for key, item in value.items()})
    return value
