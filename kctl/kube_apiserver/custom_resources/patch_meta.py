"""How an apply merges the fields of a custom resource: list types, keys and map types of its schema (structured-merge-diff's typing of a
structural schema). Answers the same questions as the built-in kinds' PatchMeta."""

from __future__ import annotations

from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.patch_meta import PatchMeta
from kctl.apimachinery.schema.schemas import OBJECT_META
from kctl.kube_apiserver.custom_resources.structural import Structural


class StructuralMeta(PatchMeta):
    """The cursor at one level. `code` is '[' for a list and '{' for anything else, as far as anybody asks."""

    __slots__ = ("_root", "_schema")

    def __init__(self, schema: Structural, *, root: bool = False) -> None:
        super().__init__(None, "[" if schema.type == "array" else "{", {}, {})
        self._schema = schema
        self._root = root or schema.embedded

    @property
    def known(self) -> bool:
        return True

    @property
    def list_type(self) -> str:
        return self._schema.list_type or ("atomic" if self._schema.type == "array" else "")

    @property
    def list_map_keys(self) -> tuple[str, ...]:
        return self._schema.list_keys

    @property
    def is_atomic_map(self) -> bool:
        return self._schema.map_type == "atomic"

    def field(self, name: str) -> PatchMeta:
        if self._root and name == "metadata":
            return schemas.load().for_type(OBJECT_META).patch_meta
        schema = self._schema.items if self._schema.items is not None else self._schema
        below = schema.below(name)
        return StructuralMeta(below) if below is not None else PatchMeta.none()
