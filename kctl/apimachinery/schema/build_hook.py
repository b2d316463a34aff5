"""Makes the schema bundles from the OpenAPI definitions of Kubernetes: types.bundle, descriptions.bundle and columns.bundle.

A hatchling build hook (also for editable installs), runnable by hand. Input is the package kubernetes-validate, needed at
build time only. One entry per type, so that a reader decodes only the types it meets:
[field, type, flags, patch] where type is s i32 i64 b n y q t T x r, @Type, [type (list) or {type (map), flags
p (pointer: keep zero values) and a (always written), patch the x-kubernetes-* extensions.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import json
import os
import sys
import zlib
from pathlib import Path
from typing import Any

VERSION = "v1.37.0"
HERE = Path(__file__).resolve().parent
COLUMNS = HERE.parents[1] / "kube_apiserver" / "columns"
SCALARS = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "T",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "x",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "r",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "r",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "r",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "oa",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "ob",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "os",
}
PATCH_KEYS = {
    "x-kubernetes-patch-merge-key": "key",
    "x-kubernetes-patch-strategy": "strategy",
    "x-kubernetes-list-type": "list",
    "x-kubernetes-list-map-keys": "keys",
    "x-kubernetes-map-type": "map",
}
Definitions = dict[str, dict[str, Any]]


def _load(name: str) -> Any:
    """A sibling module by path: the package itself need not be importable while it is being built."""
    spec = importlib.util.spec_from_file_location(f"_schema_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def definitions() -> Definitions:
    """The OpenAPI definitions by full name. ImportError where kubernetes-validate is not installed."""
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        raise ImportError("kubernetes-validate is not installed")
    folder = Path(spec.origin).parent / "kubernetes-json-schema" / f"{VERSION}-local"
    found: Definitions = json.loads((folder / "_definitions.json").read_bytes())["$defs"]
    return found


def json_type(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "")
    if isinstance(kind, list):
        kind = next(entry for entry in kind if entry != "null")
    return str(kind)


def _code(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref")
    if reference:
        name = str(reference).removeprefix("#/$defs/")
        return SCALARS.get(name, "@" + name)
    kind = json_type(schema)
    if kind == "string":
        return "y" if schema.get("format") == "byte" else "s"
    if kind == "integer":
        return "i32" if schema.get("format") == "int32" else "i64"
    if kind == "array":
        return "[" + _code(schema["items"])
    if kind == "object" and "additionalProperties" in schema:
        return "{" + _code(schema["additionalProperties"])
    return {"boolean": "b", "number": "n"}.get(kind, "r")


class _Facts:
    """The hand tables, asked by type and field."""

    def __init__(self) -> None:
        self.go = _load("go_types")

    def _in(self, table: str, owner: str, field: str) -> bool:
        entries = getattr(self.go, table)
        short = owner.rpartition(".")[2]
        return f"{short}.{field}" in entries or f".{field}" in entries or f"{owner}.{field}" in entries

    def flags(self, owner: str, field: str, code: str, required: bool, top: bool) -> str:
        if self._in("NULL_WHEN_ABSENT", owner, field):
            return "ap"
        if self._in("NEVER_ALWAYS", owner, field):
            return "" if code == "s" else "p"
        if self._in("OMITTED_STRUCTS", owner, field):
            return "p"
        if self._in("ALWAYS", owner, field):
            return "a"
        if code in ("i32", "i64", "b", "n"):
            if required:
                return "a"
            by_value = self._in("NUMBERS_BY_VALUE", owner, field) and not self._in("NUMBERS_BY_POINTER", owner, field)
            return "" if by_value else "p"
        if code == "s":
            if field in ("kind", "apiVersion") and top:
                return ""
            return "a" if required else "p" if self._in("STRING_POINTERS", owner, field) else ""
        if code == "t":
            return "a" if required or self._in("TIMES_BY_VALUE", owner, field) else "p"
        if code.startswith("@"):
            return "a" if required or self._held_by_value(owner, field, code, top) else "p"
        return "a" if required else "p" if self._in("KEPT_LISTS", owner, field) else ""

    def _held_by_value(self, owner: str, field: str, code: str, top: bool) -> bool:
        if code.endswith(".ObjectMeta") or code.endswith(".ListMeta"):
            return field == "metadata"
        return (top and field in ("spec", "status")) or self._in("STRUCTS_BY_VALUE", owner, field)


def _messages() -> dict[str, list[tuple[str, float, str]]]:
    """(field, number, type) of every protobuf message; `~field` where the message is embedded."""
    messages: dict[str, list[tuple[str, float, str]]] = {}
    package = ""
    for line in (HERE / "protobuf_fields.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            package = line.replace("k8s.io.", "io.k8s.", 1).replace("_", "-")
            continue
        name, *fields = line.split()
        rows = messages.setdefault(f"{package}.{name}", [])
        for entry in fields:
            left, _, right = entry.partition("=")
            number, _, target = right.partition(":")
            rows.append((left, float(number), f"{package}.{target}"))
    return messages


def _ranks(order: dict[str, str]) -> dict[str, dict[str, float]]:
    """Order of the fields of a type: that of their protobuf numbers, which is Go's with few exceptions (`order`)."""
    messages = _messages()
    ranks: dict[str, dict[str, float]] = {}

    def embed(name: str, start: float, scale: float, into: dict[str, float]) -> None:
        for field, number, target in messages.get(name, ()):
            if field.startswith("~"):
                embed(target, start + number * scale, scale / 1000, into)
            else:
                into[field] = start + number * scale

    for name in messages:
        rank = ranks[name] = {}
        embed(name, 0, 1, rank)
        for text in (order.get(name.rpartition(".")[2], ""), order.get(".".join(name.split(".")[-3:]), "")):
            for chain in text.split("|"):
                moved = chain.split()
                for first, second in itertools.pairwise(moved):
                    rank[second] = rank.get(first, 0) + 1e-6
    return ranks


_FIRST = {"kind": -5, "apiVersion": -4, "metadata": -3}


def type_entries(found: Definitions) -> dict[str, Any]:
    """Every type in the bundle's form, by full name."""
    facts = _Facts()
    ranks = _ranks(facts.go.ORDER)
    entries: dict[str, Any] = {}
    for name, schema in found.items():
        if name in SCALARS:
            continue
        owner = ".".join(name.split(".")[-3:])  # core.v1.Pod
        required = set(schema.get("required") or ())
        top = bool(schema.get("x-kubernetes-group-version-kind"))
        rank = ranks.get(name, {})
        properties = schema.get("properties") or {}
        order = {field: (top and _FIRST.get(field)) or rank.get(field, 999) for field in properties}
        rows = []
        for field in sorted(properties, key=lambda f: (order[f], f)):
            body = properties[field]
            code = _code(body)
            flags = facts.flags(owner, field, code, field in required, top)
            patch = {short: body[long] for long, short in PATCH_KEYS.items() if long in body}
            string_type = facts.go.STRING_TYPES.get(f"{owner.rpartition('.')[2]}.{field}")
            if string_type:
                patch["go"] = string_type
            rows.append([field, code, flags, patch] if patch else [field, code, flags])
        entries[name] = rows
    return entries


def kinds(found: Definitions) -> dict[str, str]:
    """'apps/v1/Deployment' -> full type name."""
    table = {}
    for name, schema in found.items():
        for gvk in schema.get("x-kubernetes-group-version-kind") or ():
            api_version = f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"]
            table[f"{api_version}/{gvk['kind']}"] = name
    return table


def atomic_types(found: Definitions) -> list[str]:
    """Types whose values are owned as a whole, wherever they are."""
    return [name for name, schema in found.items() if schema.get("x-kubernetes-map-type") == "atomic"]


def pack(entries: dict[str, Any], more: dict[str, Any]) -> bytes:
    """A header (index of the entries, and `more`), then the entries' JSON texts; all compressed."""
    index: dict[str, list[int]] = {}
    body: list[bytes] = []
    offset = 0
    for name, entry in entries.items():
        text = json.dumps(entry, separators=(",", ":")).encode()
        index[name] = [offset, len(text)]
        offset += len(text)
        body.append(text)
    header = json.dumps({"index": index, **more}, separators=(",", ":")).encode()
    return zlib.compress(len(header).to_bytes(4, "big") + header + b"".join(body), 9)


def descriptions(found: Definitions) -> dict[str, Any]:
    """OpenAPI's own view of each type: the definition as published, for /openapi and `kctl explain`."""
    return dict(found)


def _described() -> set[str]:
    """The fields whose documentation the Table columns show: the second argument of each `described(name, field)`."""
    calls = (node for path in sorted(COLUMNS.glob("*.py")) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    named = [call.args[1] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "described" and len(call.args) > 1]
    return {str(field.value) for field in named if isinstance(field, ast.Constant)}


def column_texts(found: Definitions) -> dict[str, str]:
    """The documentation of each described field that has one. ValueError where types of one name say different things."""
    texts: dict[str, str] = {}
    for reference in sorted(_described()):
        owner, _, field = reference.rpartition(".")
        types = [schema for name, schema in found.items() if name.endswith(f".{owner}")]
        choices = {schema.get("properties", {}).get(field, {}).get("description") for schema in types} - {None}
        if len(choices) > 1:
            raise ValueError(f"several types are called {owner}: a column must say which one it means")
        texts.update((reference, str(text)) for text in choices)
    return texts


def write(folder: Path = HERE) -> None:
    """Writes the bundles into `folder`."""
    found = definitions()
    made = {
        "types.bundle": pack(type_entries(found), {"version": VERSION, "kinds": kinds(found), "atomic": atomic_types(found)}),
        "columns.bundle": pack(column_texts(found), {"version": VERSION}),
        "descriptions.bundle": pack(descriptions(found), {"version": VERSION}),
    }
    for name, data in made.items():
        unfinished = folder / f".{name}.{os.getpid()}"
        unfinished.write_bytes(data)
        unfinished.replace(folder / name)  # at once: another process may be reading


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand or from a source checkout
    pass
else:

    class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg,misc,unused-ignore]
        """Called by hatchling before a wheel (standard or editable) or sdist is made."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if self.target_name == "wheel":
                write()


if __name__ == "__main__":
    write()
    sys.stdout.write("".join(f"{path.name} {path.stat().st_size} bytes\n" for path in sorted(HERE.glob("*.bundle"))))
