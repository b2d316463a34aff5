"""What fields exist: `Schemas` finds the schema of a resource or kind, `ObjectSchema.decode` canonicalizes an object.

Decoding is Go's JSON round trip into the typed struct and back: unknown fields dropped (and listed), null as absent, zero
values dropped where Go omits them, structs held by value always present, quantities and times in canonical text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.schema import bundle as bundles
from kctl.apimachinery.schema.bundle import Bundle
from kctl.apimachinery.schema.compiler import Compiler
from kctl.apimachinery.schema.diagnose import DecodeError as DecodeError
from kctl.apimachinery.schema.diagnose import Walk
from kctl.apimachinery.schema.patch_meta import PatchMeta
from kctl.apimachinery.schema.scalars import Malformed, WrongType

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


class Decoded(NamedTuple):
    """A new canonical object, and the paths of the fields that were dropped because no such field exists."""

    object: Object
    unknown_fields: list[str]


class ObjectSchema:
    """One kind."""

    def __init__(self, type_name: str, types: Bundle, compiler: Compiler) -> None:
        self.type_name = type_name
        self._bundle = types
        self._decode = compiler.struct(type_name)
        self.patch_meta = PatchMeta.of(types, type_name)

    @property
    def kind(self) -> str:
        return self.type_name.rpartition(".")[2]

    def decode(self, obj: Any, *, patched: bool = False) -> Decoded:
        """Raises DecodeError with Go's words for the first value of a wrong type (`patched`: the words that the result of
        a strategic merge patch gets)."""
        unknown: list[str] = []
        try:
            decoded = self._decode(obj, unknown)
        except (WrongType, Malformed):
            Walk(self._bundle, patched=patched).struct(self.type_name, obj, "", (), "")
            raise DecodeError(f"json: cannot unmarshal into {self.kind}") from None
        if unknown:
            walk = Walk(self._bundle)
            walk.struct(self.type_name, obj, "", (), "")
            unknown = walk.unknown
        return Decoded(decoded, unknown)


class UntypedSchema(ObjectSchema):
    """A kind without a built-in type (custom resources): metadata is decoded, everything else is kept."""

    def __init__(self, types: Bundle, compiler: Compiler) -> None:
        super().__init__(OBJECT_META, types, compiler)
        self.patch_meta = PatchMeta.none()

    def decode(self, obj: Any, *, patched: bool = False) -> Decoded:
        if not isinstance(obj, dict):
            raise DecodeError("json: cannot unmarshal into Go value of type map[string]interface {}")
        meta = obj.get("metadata")
        inner = super().decode({} if meta is None else meta)
        first = {key: obj[key] for key in ("apiVersion", "kind") if key in obj}
        decoded = {
            **first,
            "metadata": inner.object,
            **{k: v for k, v in obj.items() if k not in first and k != "metadata"},
        }
        return Decoded(decoded, [f"metadata.{path}" for path in inner.unknown_fields])


class Schemas:
    """All built-in kinds. Cheap to make; types are read and compiled when first used."""

    def __init__(self, types: Bundle) -> None:
        self.bundle = types
        self._kinds: dict[str, str] = types.header["kinds"]
        self._compiler = Compiler(types)
        self._schemas: dict[str, ObjectSchema] = {}
        self._untyped: UntypedSchema | None = None

    def for_kind(self, api_version: str, kind: str) -> ObjectSchema | None:
        """None where there is no such built-in kind."""
        name = self.type_name(api_version, kind)
        return self.for_type(name) if name else None

    def type_name(self, api_version: str, kind: str) -> str:
        """The full name of a kind's type; '' where there is no such built-in kind."""
        return DELETE_OPTIONS if kind == "DeleteOptions" else self._kinds.get(f"{api_version}/{kind}", "")

    def for_type(self, type_name: str) -> ObjectSchema:
        """By full name: io.k8s.api.core.v1.Pod."""
        found = self._schemas.get(type_name)
        if found is None:
            found = self._schemas[type_name] = ObjectSchema(type_name, self.bundle, self._compiler)
        return found

    def for_resource(self, resource: ResourceType, subresource: str = "") -> ObjectSchema:
        """The schema of a resource's objects, or of what one of its subresources takes (Scale, Eviction, Binding...)."""
        api_version, kind = resource.api_version, resource.kind
        entry = resource.subresource(subresource) if subresource else None
        if entry is not None:
            kind = entry.kind
            if entry.version:
                api_version = f"{entry.group}/{entry.version}" if entry.group else entry.version
        return self.for_kind(api_version, kind) or self.untyped()

    def untyped(self) -> ObjectSchema:
        if self._untyped is None:
            self._untyped = UntypedSchema(self.bundle, self._compiler)
        return self._untyped

    def patch_meta(self, api_version: str, kind: str) -> PatchMeta:
        """How strategic merge treats the fields of a kind; the empty answer for unknown kinds."""
        schema = self.for_kind(api_version, kind)
        return schema.patch_meta if schema else PatchMeta.none()


@cache
def load() -> Schemas:
    """The schemas of this process (about 1 ms the first time)."""
    return Schemas(bundles.types())


def strict_error(kind: str, api_version: str, problems: Sequence[str], expected_kind: str = "") -> str:
    """The message for refused unknown or duplicate fields; `problems` as `unknown_field`/`duplicate_field` word them."""
    return cannot_be_handled(kind, api_version, "strict decoding error: " + ", ".join(problems), expected_kind)


def cannot_be_handled(kind: str, api_version: str, why: str, expected_kind: str = "") -> str:
    """`Deployment in version "v1" cannot be handled as a Deployment: ...` (the version without its group)."""
    version = api_version.rpartition("/")[2]
    return f'{kind} in version "{version}" cannot be handled as a {expected_kind or kind}: {why}'


def unknown_field(path: str) -> str:
    return f'unknown field "{path}"'


def duplicate_field(path: str) -> str:
    return f'duplicate field "{path}"'
