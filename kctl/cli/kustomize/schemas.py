"""openapi and crds of a kustomization: how lists of custom kinds are merged, and which of their fields hold names and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kctl.apimachinery.schema.patch_meta import PatchMeta
from kctl.apimachinery.yaml import YamlError, load
from kctl.cli.errors import CommandError
from kctl.cli.kustomize.default_specs import NameReferences, TransformerConfig
from kctl.cli.kustomize.field_specs import FieldSpec
from kctl.cli.kustomize.loader import Loader
from kctl.cli.kustomize.resource import Gvk

_REFERENCE: Final = "#/definitions/"
_MAX_DEPTH: Final = 30


class OpenApiMeta(PatchMeta):
    """PatchMeta over the definitions of an OpenAPI document."""

    __slots__ = ("_definitions", "_schema")

    def __init__(self, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> None:
        super().__init__(None, "", {}, {})
        self._definitions = definitions
        self._schema = self._resolved(schema)

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        seen = 0
        while isinstance(schema, dict) and isinstance(schema.get("$ref"), str) and seen < _MAX_DEPTH:
            schema = {**schema, **(self._definitions.get(schema["$ref"].removeprefix(_REFERENCE)) or {}), "$ref": None}
            seen += 1
        return schema if isinstance(schema, dict) else {}

    @property
    def merge_key(self) -> str:
        return str(self._schema.get("x-kubernetes-patch-merge-key") or "")

    @property
    def strategies(self) -> tuple[str, ...]:
        return tuple(str(self._schema.get("x-kubernetes-patch-strategy") or "").split(","))

    @property
    def list_map_keys(self) -> tuple[str, ...]:
        keys = self._schema.get("x-kubernetes-list-map-keys")
        return tuple(str(key) for key in keys) if isinstance(keys, list) else ()

    def field(self, name: str) -> PatchMeta:
        schema = self._resolved(self._schema.get("items")) if self._schema.get("type") == "array" else self._schema
        properties = schema.get("properties")
        inner = properties.get(name) if isinstance(properties, dict) else None
        inner = inner if inner is not None else schema.get("additionalProperties")
        return OpenApiMeta(inner, self._definitions) if isinstance(inner, dict) else PatchMeta.none()


def _read(loader: Loader, path: str) -> Any:
    try:
        return load(loader.load(path))
    except YamlError as error:
        raise CommandError(f"invalid schema file: {error.message}") from None


def openapi_metas(loader: Loader, openapi: Mapping[str, Any]) -> dict[Gvk, PatchMeta] | None:
    """By kind; None where the built-in schemas are meant. Raises CommandError."""
    path, version = str(openapi.get("path") or ""), str(openapi.get("version") or "")
    if path and version:
        raise CommandError("builtin version and custom schema provided, cannot use both")
    if version and version not in ("v1.21.2", "v1_21_2", "v1.20.4"):
        raise CommandError(f"the specified OpenAPI version is not built in: {version}")
    if not path:
        return None
    document = _read(loader, path)
    definitions = document.get("definitions") if isinstance(document, dict) else None
    metas: dict[Gvk, PatchMeta] = {}
    for schema in (definitions or {}).values():
        for kind in schema.get("x-kubernetes-group-version-kind") or () if isinstance(schema, dict) else ():
            gvk = Gvk(*(str(kind.get(part) or "") for part in ("group", "version", "kind")))
            metas[gvk] = OpenApiMeta(schema, definitions or {})
    return metas


def crd_config(loader: Loader, paths: list[Any]) -> TransformerConfig:
    """What the x-kubernetes-… marks of the types say. Raises CommandError."""
    config = TransformerConfig()
    for path in paths:
        document = _read(loader, str(path))
        types = {name: _properties(entry) for name, entry in document.items()} if isinstance(document, dict) else {}
        for name, properties in types.items():
            if {"kind", "apiVersion", "metadata"} <= set(properties):
                found = TransformerConfig()
                _gather(found, Gvk(kind=name.rsplit(".", 1)[-1]), types, name, [])
                config = config.merged(found)
    return config


def _properties(entry: Any) -> dict[str, Any]:
    schema = (entry.get("Schema") or entry.get("schema")) if isinstance(entry, dict) else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return {name: one for name, one in properties.items() if isinstance(one, dict)} if isinstance(properties, dict) else {}


def _gather(config: TransformerConfig, kind: Gvk, types: Mapping[str, dict[str, Any]], name: str, path: list[str]) -> None:
    if len(path) > _MAX_DEPTH:
        raise CommandError(f"the types of {kind.kind} nest deeper than {_MAX_DEPTH}")
    for field, schema in types.get(name, {}).items():
        here = [*path, field]
        spec = FieldSpec("/".join(here), kind)
        if "x-kubernetes-annotation" in schema:
            config.common_annotations.append(spec)
        if "x-kubernetes-label-selector" in schema:
            config.common_labels.append(spec)
        if "x-kubernetes-identity" in schema:
            config.name_prefix.append(spec)
        target = schema.get("x-kubernetes-object-ref-kind")
        if "x-kubernetes-object-ref-api-version" in schema and target:
            key = str(schema.get("x-kubernetes-object-ref-name-key") or "name")
            gvk = Gvk("", str(schema["x-kubernetes-object-ref-api-version"]), str(target))
            config.name_references.append(NameReferences(gvk, (FieldSpec("/".join([*here, key]), kind),)))
        if schema.get("$ref"):
            _gather(config, kind, types, str(schema["$ref"]).removeprefix(_REFERENCE), here)
