"""The page of `explain -o plaintext-openapiv2`: how kubectl explained before OpenAPI v3, from the server's /openapi/v2."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from kctl.apimachinery.resources import ResourceType
from kctl.cli.errors import CommandError

_WIDTH: Final = 80
_FIELDS: Final = 3
_DESCRIPTION: Final = 5
_BELOW: Final = 2
_LIST_ITEM: Final = re.compile(r"(\d+\.?|-|\*)\s")
_EMPTY: Final[dict[str, Any]] = {}


class PageV2:
    """`definitions` are the document's; `max_depth` 0 is no limit."""

    def __init__(self, definitions: dict[str, Any], resource: ResourceType, max_depth: int = 0) -> None:
        self._definitions = definitions
        self._resource = resource
        self._max_depth = max_depth
        self.lines: list[str] = []

    def root(self) -> dict[str, Any]:
        wanted = {"group": self._resource.group, "version": self._resource.version, "kind": self._resource.kind}
        for schema in self._definitions.values():
            if wanted in (schema.get("x-kubernetes-group-version-kind") or ()):
                return dict(schema)
        group = f"{self._resource.group}/{self._resource.version}" if self._resource.group else f"/{self._resource.version}"
        raise CommandError(f'couldn\'t find resource for "{group}, Kind={self._resource.kind}"')

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self._definitions.get(schema["$ref"].rpartition("/")[2]) or _EMPTY
        return schema

    def _type_name(self, schema: dict[str, Any]) -> str:
        """Behind references: [], map[string] and Object, or the plain type; '' for what may be anything."""
        schema = self._resolved(schema)
        if schema.get("type") == "array":
            return f"[]{self._type_name(schema.get('items') or _EMPTY)}"
        if isinstance(schema.get("additionalProperties"), dict):
            return f"map[string]{self._type_name(schema['additionalProperties'])}"
        if schema.get("properties"):
            return "Object"
        return "map[string]" if schema.get("type") == "object" else str(schema.get("type") or "")

    def _field(self, root: dict[str, Any], path: list[str]) -> dict[str, Any]:
        """Raises CommandError for one that does not exist."""
        own = root
        for name in path:
            own = self._kind(own)[0]
            if name not in (own.get("properties") or _EMPTY):
                raise CommandError(f'field "{name}" does not exist')
            own = own["properties"][name]
        return own

    def _kind(self, schema: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """What has fields, behind references, arrays and maps; and the descriptions on the way."""
        told: list[str] = []
        while True:
            told.append(str(schema.get("description") or ""))
            if "$ref" in schema:
                schema = self._resolved({"$ref": schema["$ref"]})
            elif schema.get("type") == "array":
                schema = schema.get("items") or _EMPTY
            elif isinstance(schema.get("additionalProperties"), dict):
                schema = schema["additionalProperties"]
            else:
                return schema, told

    def print(self, path: list[str], *, recursive: bool) -> None:
        field = self._field(self.root(), path)
        kind, told = self._kind(field)
        group = f"{self._resource.group}/" if self._resource.group else ""
        self.lines += [f"KIND:     {self._resource.kind}", f"VERSION:  {group}{self._resource.version}", ""]
        if path:
            self.lines += [f"{'RESOURCE:' if kind.get('properties') else 'FIELD:   '} {path[-1]} <{self._type_name(field)}>", ""]
        self.lines.append("DESCRIPTION:")
        empty = True
        for index, text in enumerate(told):
            if text:
                empty = False
                if index:
                    self.lines.append("")
                self._wrapped(text, _DESCRIPTION)
        if empty:
            self._wrapped("<empty>", _DESCRIPTION)
        if kind.get("properties"):
            self.lines += ["", "FIELDS:"]
            self._fields(kind, _FIELDS, recursive=recursive, level=1, above=frozenset())

    def _fields(self, kind: dict[str, Any], indent: int, *, recursive: bool, level: int, above: frozenset[str]) -> None:
        for name in sorted(kind["properties"]):
            field = kind["properties"][name]
            required = " -required-" if not recursive and name in (kind.get("required") or ()) else ""
            self.lines.append(f"{' ' * indent}{name}\t<{self._type_name(field)}>{required}")
            if not recursive:
                self._wrapped(str(field.get("description") or ""), indent + _BELOW)
                self.lines.append("")
                continue
            inner, references = self._below(field)
            if inner.get("properties") and not above & references and level != self._max_depth:
                self._fields(inner, indent + _FIELDS, recursive=True, level=level + 1, above=above | references)

    def _below(self, schema: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
        """What has fields, and the references on the way: a kind that contains itself is not gone into again."""
        references: set[str] = set()
        while True:
            if "$ref" in schema:
                references.add(schema["$ref"])
                schema = self._definitions.get(schema["$ref"].rpartition("/")[2]) or _EMPTY
            elif schema.get("type") == "array":
                schema = schema.get("items") or _EMPTY
            elif isinstance(schema.get("additionalProperties"), dict):
                schema = schema["additionalProperties"]
            else:
                return schema, frozenset(references)

    def _wrapped(self, text: str, indent: int) -> None:
        self.lines += [f"{' ' * indent}{line}" if line else "" for line in wrapped(text, _WIDTH - indent)]


def wrapped(text: str, width: int) -> list[str]:
    """Lines are filled to `width` bytes, but code, empty lines, list items and what follows a colon begin new ones."""
    lines: list[str] = []
    words: list[str] = []

    def flush() -> None:
        if words:
            lines.append(" ".join(words))
            words.clear()

    for line in text.split("\n"):
        if line.startswith("    "):
            flush()
            lines.append(line)
            continue
        bare = line.strip()
        if lines and not bare:
            flush()
            lines.append("")
            continue
        if not bare or (words and words[-1].endswith(":")) or _LIST_ITEM.match(bare):
            flush()
        for word in line.split():
            if words and len(" ".join([*words, word]).encode()) > width:
                flush()
            words.append(word)
    flush()
    return lines


def explain_v2(
    document: dict[str, Any],
    resource: ResourceType,
    path: list[str],
    max_depth: int,
    write: Callable[[str], object],
    *,
    recursive: bool,
) -> None:
    """Raises CommandError for a field that does not exist, before anything is written."""
    page = PageV2(document.get("definitions") or {}, resource, max_depth)
    page.print(path, recursive=recursive)
    write("\n".join(page.lines) + "\n")
