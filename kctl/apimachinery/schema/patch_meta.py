"""How patches treat each field of a type: merge keys and strategies (strategic merge) and list types (apply).

A cursor over the schema: `PatchMeta.field(name)` steps into a field; stepping where the schema knows nothing gives the
empty cursor, which treats everything as plain JSON.
"""

from __future__ import annotations

from typing import Any

import orjson

from kctl.apimachinery.schema.bundle import Bundle

_EMPTY: dict[str, Any] = {}


class PatchMeta:
    """The facts of one field (or of a whole object), and the way to those below."""

    __slots__ = ("_bundle", "_cache", "_facts", "code")

    def __init__(self, bundle: Bundle | None, code: str, facts: dict[str, Any], cache: dict[str, Any]) -> None:
        self._bundle = bundle
        self.code = code
        self._facts = facts
        self._cache = cache

    @classmethod
    def of(cls, bundle: Bundle, type_name: str) -> PatchMeta:
        return cls(bundle, "@" + type_name, _EMPTY, {})

    @classmethod
    def none(cls) -> PatchMeta:
        return _NONE

    @property
    def known(self) -> bool:
        return self._bundle is not None

    @property
    def merge_key(self) -> str:
        """The key by which entries of this list are merged, '' where the list is replaced."""
        return str(self._facts.get("key", ""))

    @property
    def strategies(self) -> tuple[str, ...]:
        """merge, replace, retainKeys."""
        return tuple(str(self._facts.get("strategy", "")).split(",")) if "strategy" in self._facts else ()

    @property
    def merges(self) -> bool:
        return "merge" in self.strategies

    @property
    def retain_keys(self) -> bool:
        return "retainKeys" in self.strategies

    @property
    def list_type(self) -> str:
        """atomic, set, map or ''."""
        return str(self._facts.get("list", ""))

    @property
    def list_map_keys(self) -> tuple[str, ...]:
        return tuple(self._facts.get("keys", ()))

    @property
    def is_atomic_map(self) -> bool:
        return self._facts.get("map") == "atomic"

    def field(self, name: str) -> PatchMeta:
        """The field of a struct (of the entry, for a list of structs) or the value of a map."""
        code = self.code.lstrip("[")
        if self._bundle is None:
            return _NONE
        if code.startswith("{"):
            return PatchMeta(self._bundle, code[1:], _EMPTY, self._cache)
        if not code.startswith("@") or code[1:] not in self._bundle:
            return _NONE
        rows = self._cache.get(code)
        if rows is None:
            rows = self._cache[code] = {row[0]: row for row in self._bundle.entry(code[1:])}
        row = rows.get(name)
        if row is None:
            return _NONE
        return PatchMeta(self._bundle, row[1], row[3] if len(row) > 3 else _EMPTY, self._cache)


_NONE = PatchMeta(None, "", _EMPTY, {})


def identity(value: Any) -> Any:
    """Something hashable that is equal for equal JSON values alone: true is not 1, and a key may be (wrongly) a list."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return (type(value) is bool, value)
