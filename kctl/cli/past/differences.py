"""What changed between two revisions of an object, field by field: `spec.replicas: 1 -> 3`.

Entries of lists are told apart by what names them (name, type, key, ...), as a reader would; lists without such names are compared as one
value, or place by place where they are short.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson

from kctl.apimachinery.objects import Object

_NAMES: Final = ("name", "type", "key", "uid", "containerPort", "port", "ip", "mountPath", "manager")
_NOT_SHOWN: Final = frozenset({"managedFields", "resourceVersion", "generation", "selfLink"})
_PLAIN_KEY: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_MISSING: Final[Any] = object()
LONGEST: Final = 120
"""Letters of a value that are shown."""


class Difference(NamedTuple):
    """`sign`: + added, - removed, ~ changed."""

    sign: str
    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.sign == "~":
            return f"~ {self.path}: {shown(self.old)} -> {shown(self.new)}"
        return f"{self.sign} {self.path}: {shown(self.new if self.sign == '+' else self.old)}"


def shown(value: Any) -> str:
    """A value on one line."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def differences(old: Object | None, new: Object | None) -> list[Difference]:
    """Without what changes with every write (managedFields, resourceVersion, generation)."""
    return list(_compare("", _without(old or {}), _without(new or {})))


def _without(obj: Object) -> Object:
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        return obj
    return {**obj, "metadata": {key: value for key, value in meta.items() if key not in _NOT_SHOWN}}


def _compare(path: str, old: Any, new: Any) -> Iterator[Difference]:
    if old is new or (not isinstance(old, dict | list) and old == new and type(old) is type(new)):
        return
    if old is _MISSING or new is _MISSING:
        yield Difference("+" if old is _MISSING else "-", path, None if old is _MISSING else old, None if new is _MISSING else new)
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _compare(_joined(path, key), old.get(key, _MISSING), new.get(key, _MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _compare_lists(path, old, new)
    else:
        yield Difference("~", path, old, new)


def _joined(path: str, key: str) -> str:
    if not key or not _PLAIN_KEY.issuperset(key):
        return f"{path}[{orjson.dumps(key).decode()}]"
    return f"{path}.{key}" if path else key


def _compare_lists(path: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    name = next((one for one in _NAMES if _names(old, one) and _names(new, one)), "")
    if name:
        before, after = ({entry[name]: entry for entry in entries} for entries in (old, new))
        for value in [*before, *(value for value in after if value not in before)]:
            yield from _compare(f"{path}[{name}={value}]", before.get(value, _MISSING), after.get(value, _MISSING))
        if not _same_order(before, after):
            yield Difference("~", path, list(before), list(after))
    elif len(old) == len(new) and all(isinstance(entry, dict) for entry in (*old, *new)):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _compare(f"{path}[{index}]", left, right)
    elif old != new:
        yield Difference("~", path, old, new)


def _same_order(before: dict[Any, Any], after: dict[Any, Any]) -> bool:
    """Whether the entries that both have stand in the same order."""
    return [value for value in before if value in after] == [value for value in after if value in before]


def _names(entries: Sequence[Any], name: str) -> bool:
    """Whether that field tells all entries apart."""
    values = [entry.get(name) if isinstance(entry, dict) else None for entry in entries]
    return all(isinstance(value, str | int) for value in values) and len(set(values)) == len(values)
