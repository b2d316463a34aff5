"""The schema of one version of a custom resource, as everything that decodes, validates and merges asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.schemas import OBJECT_META, Decoded, DecodeError
from kctl.kube_apiserver.custom_resources import embedded_resources
from kctl.kube_apiserver.custom_resources.settling import Settling, canonical
from kctl.kube_apiserver.custom_resources.structural import Schema, Structural

Rules = Callable[[Object, Object | None, bool], list[FieldError]]
"""Runs a schema's x-kubernetes-validations on an object and what it was before."""
_PRESERVING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class CustomSchema:
    """`decode` is what a body goes through; `settle` what a stored object does when it is read after its definition has changed."""

    def __init__(self, kind: str, schema: Schema | None) -> None:
        self.kind = kind
        self.openapi = schema or _PRESERVING
        self.structural = Structural(self.openapi)
        self.has_embedded = embedded_resources.has_any(self.structural)
        self.rules: Rules | None = _rules(self.structural)
        """Its x-kubernetes-validations, where it has any."""

    def decode(self, obj: Any) -> Decoded:
        """A private object in the form in which it is stored, and the paths of fields that were pruned, in alphabetical order. Raises
        DecodeError."""
        if not isinstance(obj, dict):
            raise DecodeError("json: cannot unmarshal into Go value of type map[string]interface {}")
        meta, unknown = decode_metadata(obj.get("metadata"))
        walk = Settling()
        settled = walk.root(obj, self.structural, meta)
        return Decoded(settled, unknown + sorted(walk.unknown))

    def settle(self, obj: Object) -> Object:
        """As `decode`, of an object that was valid once: its metadata stays as it is."""
        return Settling(strict_metadata=False).root(obj, self.structural, obj["metadata"])

    def prune(self, obj: Object) -> Object:
        """An object that comes from another version: without what this one does not know, and without this one's defaults."""
        return Settling(strict_metadata=False, defaults=False).root(obj, self.structural, obj["metadata"])


def _rules(schema: Structural) -> Rules | None:
    if not _has_rules(schema):
        return None
    from kctl.kube_apiserver.custom_resources import rules  # only for who has any

    return rules.of_schema(schema)


def _has_rules(schema: Structural) -> bool:
    return bool(schema.schema.get("x-kubernetes-validations")) or any(map(_has_rules, schema.parts()))


def decode_metadata(meta: Any) -> tuple[dict[str, Any], list[str]]:
    """Canonical metadata and the paths of its unknown fields. Raises DecodeError."""
    decoded = schemas.load().for_type(OBJECT_META).decode({} if meta is None else meta)
    return canonical(decoded.object), [f"metadata.{path}" for path in decoded.unknown_fields]
