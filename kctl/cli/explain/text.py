"""The page that `explain` prints: header, description, fields; laid out as kubectl's plaintext template does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kctl.apimachinery.resources import ResourceType
from kctl.cli.errors import CommandError

_WIDTH = 80
MOST_LEVELS = 1000
"""As good as without a limit: a schema that contains itself is not gone into again."""
_WORD = re.compile(r"\s*\S+")
_EMPTY: dict[str, Any] = {}


class Page:
    def __init__(self, document: dict[str, Any], resource: ResourceType) -> None:
        self._schemas: dict[str, Any] = (document.get("components") or {}).get("schemas") or {}
        self._resource = resource
        self.lines: list[str] = []

    def root(self) -> dict[str, Any]:
        wanted = {"group": self._resource.group, "version": self._resource.version, "kind": self._resource.kind}
        for schema in self._schemas.values():
            if wanted in (schema.get("x-kubernetes-group-version-kind") or ()):
                return dict(schema)
        raise CommandError(f"GVK ({self._resource.api_version}, Kind={self._resource.kind}) not found in OpenAPI schema")

    # ---- schemas

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Behind $ref and a single allOf; the outer description is kept apart by callers."""
        while True:
            if "$ref" in schema:
                schema = self._schemas.get(schema["$ref"].rpartition("/")[2]) or _EMPTY
            elif len(schema.get("allOf") or ()) == 1:
                schema = schema["allOf"][0]
            else:
                return schema

    def inner(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema that has the fields: through arrays and maps."""
        schema = self.resolve(schema)
        while True:
            if isinstance(schema.get("items"), dict):
                schema = self.resolve(schema["items"])
            elif isinstance(schema.get("additionalProperties"), dict):
                schema = self.resolve(schema["additionalProperties"])
            else:
                return schema

    def type_name(self, schema: dict[str, Any]) -> str:
        """[]Container, map[string]Quantity, IntOrString, integer"""
        if isinstance(schema.get("items"), dict):
            return f"[]{self.type_name(schema['items'])}"
        if isinstance(schema.get("additionalProperties"), dict):
            return f"map[string]{self.type_name(schema['additionalProperties'])}"
        if len(schema.get("allOf") or ()) == 1:
            return self.type_name(schema["allOf"][0])
        if "$ref" in schema:
            name = str(schema["$ref"].rpartition("/")[2])
            target = self._schemas.get(name) or _EMPTY
            if not target.get("properties") and target.get("format") == "date-time":
                return "string"
            if name.endswith((".FieldsV1", ".JSON")) or "properties" in target or "oneOf" in target or "type" not in target:
                return name.rpartition(".")[2]
            return name.rpartition(".")[2] if target.get("type") in ("object", None) else str(target["type"])
        if schema.get("oneOf"):
            return "Object"
        kind = schema.get("type") or "object"
        return "Object" if kind == "object" else str(kind)

    # ---- the page

    def header(self) -> None:
        if self._resource.group:
            self.lines.append(f"GROUP:      {self._resource.group}")
        self.lines += [f"KIND:       {self._resource.kind}", f"VERSION:    {self._resource.version}", ""]

    def body(self, schema: dict[str, Any], path: list[str], recursive: bool, depth: int) -> None:
        own = schema
        for number, name in enumerate(path):
            properties = self.inner(own).get("properties") or _EMPTY
            if name not in properties:
                raise CommandError(f'field "{name}" does not exist')
            own = properties[name]
            if number == len(path) - 1:
                self.lines.append(f"FIELD: {name} <{self.type_name(own)}>")
                values = self.resolve(own).get("enum") or ()
                if values:
                    self.lines += ["ENUM:", *(f"    {_shown(value)}" for value in values), ""]
                else:
                    self.lines += ["", ""]
        self._description(own)
        fields = self.inner(own)
        if fields.get("properties"):
            self.lines.append("FIELDS:")
            self._fields(fields, recursive, 1, depth, frozenset())

    def _description(self, schema: dict[str, Any]) -> None:
        self.lines.append("DESCRIPTION:")
        texts = []
        while True:
            if schema.get("description"):
                texts.append(str(schema["description"]))
            if len(schema.get("allOf") or ()) == 1:
                schema = schema["allOf"][0]
            elif "$ref" in schema:
                schema = self._schemas.get(schema["$ref"].rpartition("/")[2]) or _EMPTY
            elif isinstance(schema.get("items"), dict):
                schema = schema["items"]
            elif isinstance(schema.get("additionalProperties"), dict):
                schema = schema["additionalProperties"]
            else:
                break
        for text in texts or ["<empty>"]:
            self.lines += wrap(text, 4)
        self.lines.append("    ")

    def _fields(self, schema: dict[str, Any], recursive: bool, level: int, depth: int, above: frozenset[int]) -> None:
        properties, required = schema.get("properties") or _EMPTY, schema.get("required") or ()
        for name in sorted(properties):
            own = properties[name]
            indent = "  " * level
            mark = " -required-" if name in required else ""
            self.lines.append(f"{indent}{name}\t<{self.type_name(own)}>{mark}")
            self._enum(own, indent)
            if recursive:
                inner = self.inner(own)
                if inner.get("properties") and id(inner) not in above and level < depth:
                    self._fields(inner, True, level + 1, depth, above | {id(inner)})
            else:
                description = own.get("description") or "<no description>"
                self.lines += wrap(str(description), 4)
                self.lines.append("")

    def _enum(self, schema: dict[str, Any], indent: str) -> None:
        values = self.resolve(schema).get("enum") or ()
        if not values:
            return
        shown = ", ".join(_shown(value) for value in values[:4])
        self.lines.append(f"{indent}enum: {shown}" + (", ...." if len(values) > 4 else ""))


def _shown(value: Any) -> str:
    return '""' if value == "" else str(value)


def wrap(text: str, indent: int) -> list[str]:
    """Words in lines of 80 columns with the indent; line breaks of the text stay."""
    margin = " " * indent
    width = _WIDTH - indent
    lines: list[str] = []
    for part in text.split("\n"):
        current = ""
        for word in _WORD.findall(part):
            if current.strip() and len(current) + len(word) > width:
                lines.append(margin + current)
                current = word.lstrip()
            else:
                current += word
        lines.append(margin + current)
    return lines


def explain(
    document: dict[str, Any],
    resource: ResourceType,
    path: list[str],
    depth: int,
    write: Callable[[str], object],
    *,
    recursive: bool,
) -> None:
    """`depth`: of fields in fields, where they are printed recursively. Raises CommandError for a field that does not exist, when the header is written already, as kubectl does."""
    page = Page(document, resource)
    root = page.root()
    page.header()
    try:
        page.body(root, path, recursive, depth)
    finally:
        write("\n".join(page.lines) + "\n")
    write("\n")
