"""A structural schema as pruning, defaulting and list types walk it (apiextensions-apiserver's schema.Structural).

Made once for each version of a definition. What a value must be besides (minimum, pattern, oneOf, ...) stays in `schema` and is
read by validation.py.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
EMPTY: dict[str, Structural] = {}
META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})
"""What an object and every embedded resource has beside what its schema says."""


class Structural:
    """One level. `additional` is the schema of values under other keys than `properties`; `allows_additional` tells
    whether there may be such keys at all."""

    __slots__ = (
        "additional",
        "allows_additional",
        "default",
        "embedded",
        "has_default",
        "int_or_string",
        "items",
        "list_keys",
        "list_type",
        "map_type",
        "nullable",
        "preserves",
        "properties",
        "schema",
        "sets_defaults",
        "type",
    )

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.type: str = schema.get("type") or ""
        self.nullable = bool(schema.get("nullable"))
        self.preserves = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        self.embedded = bool(schema.get("x-kubernetes-embedded-resource"))
        self.int_or_string = bool(schema.get("x-kubernetes-int-or-string"))
        self.list_type: str = schema.get("x-kubernetes-list-type") or ""
        self.list_keys: tuple[str, ...] = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        self.map_type: str = schema.get("x-kubernetes-map-type") or ""
        self.default = schema.get("default")
        self.has_default = self.default is not None
        given = schema.get("properties")
        self.properties = {name: Structural(part) for name, part in given.items()} if given else EMPTY
        items = schema.get("items")
        self.items = Structural(items) if isinstance(items, dict) else None
        others = schema.get("additionalProperties")
        self.additional = Structural(others) if isinstance(others, dict) else None
        self.allows_additional = self.additional is not None or others is True
        self.sets_defaults: bool = any(part.has_default or part.sets_defaults for part in self.parts())

    def parts(self) -> list[Structural]:
        """The levels below."""
        return [*self.properties.values(), *(part for part in (self.items, self.additional) if part is not None)]

    def below(self, key: str) -> Structural | None:
        """The schema of the value under a key; None where nothing is known of it."""
        return self.properties.get(key) or self.additional
