"""patches, patchesStrategicMerge, patchesJson6902: strategic merge and JSON patches, told apart by their form, for what a target selects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.apimachinery import json_patch, labels
from kctl.apimachinery.go_patterns import GoPatternError, compiled
from kctl.apimachinery.schema.patch_meta import PatchMeta
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.yaml import YamlError, dump, load
from kctl.cli.errors import CommandError
from kctl.cli.kustomize import strategic
from kctl.cli.kustomize.loader import Loader
from kctl.cli.kustomize.resource import Gvk, Resource, ResourceMap, split_api_version
from kctl.cli.kustomize.yaml_values import resources_of


class Selector:
    """A target: group, version, kind, name and namespace as patterns for the whole text, labels and annotations as selectors."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._fields = {name: str(data.get(name) or "") for name in ("group", "version", "kind", "name", "namespace")}
        self._labels = str(data.get("labelSelector") or "")
        self._annotations = str(data.get("annotationSelector") or "")

    def select(self, resources: ResourceMap) -> list[Resource]:
        """Raises CommandError for patterns and selectors that cannot be read."""
        return [one for one in resources.resources if one.object and self._matches(one)]

    def _matches(self, one: Resource) -> bool:
        first, now = one.original_id, one.id
        return (
            (self._is("namespace", first.effective_namespace) or self._is("namespace", now.effective_namespace))
            and (self._is("name", first.name) or self._is("name", now.name))
            and all(self._is(field, getattr(now.gvk, field)) for field in ("group", "version", "kind"))
            and selects(self._labels, one.strings("labels"))
            and selects(self._annotations, one.strings("annotations"))
        )

    def _is(self, field: str, value: str) -> bool:
        pattern = self._fields[field]
        if not pattern:
            return True
        try:
            return compiled(f"^(?:{pattern.removeprefix('^').removesuffix('$')})$").search(value) is not None
        except GoPatternError as error:
            raise CommandError(str(error)) from None


def selects(selector: str, values: Mapping[str, str]) -> bool:
    if not selector:
        return True
    try:
        return labels.parse(selector).matches(values)
    except ApiError as error:
        raise CommandError(error.message) from None


class Patch:
    """One entry of `patches`. Raises CommandError where it is neither kind of patch, or both."""

    def __init__(self, entry: Mapping[str, Any], loader: Loader, field: str = "patch") -> None:
        text, path = str(entry.get(field) or "").strip(), str(entry.get("path") or "")
        self._options = entry.get("options") or {}
        target = entry.get("target")
        self._target = Selector(target) if isinstance(target, dict) else None
        shown = dump({key: value for key, value in entry.items() if value} or {})
        if bool(text) == bool(path):
            problem = "patch and path can't be set at the same time" if text else "must specify one of patch and path in"
            raise CommandError(f"{problem}\n{shown}".rstrip("\n"))
        if path:
            try:
                text = loader.load(path).decode(errors="replace")
            except CommandError as error:
                raise CommandError(f"failed to get the patch file from path({path}): {error.message}") from None
        self._text = text
        self._merges: list[Resource] = []
        self._operations: Any = None
        self._read()

    def _read(self) -> None:
        problem: CommandError | None = None
        try:
            self._merges = resources_of(self._text.encode())
        except CommandError as error:
            problem = error
        operations = _operations(self._text)
        if problem is None and operations is not None:
            raise CommandError(f"illegally qualifies as both an SM and JSON patch: {_quoted(self._text)}")
        if problem is not None and operations is None:
            raise CommandError(f"unable to parse SM or JSON patch from {_quoted(self._text)}")
        self._operations = operations
        for patch in self._merges:
            patch.name_change_allowed = bool(self._options.get("allowNameChange"))
            patch.kind_change_allowed = bool(self._options.get("allowKindChange"))

    def apply(self, resources: ResourceMap, metas: Metas) -> None:
        if self._operations is not None:
            self._apply_operations(resources)
            return
        for patch in self._merges:
            if self._target is None:
                apply_to(_meant(resources, patch), patch, metas)
                continue
            for one in self._target.select(resources):
                meant = patch.copy()
                group, version = split_api_version(str(one.object.get("apiVersion") or ""))
                meant.object["apiVersion"] = Gvk(group, version).api_version
                apply_to(one, meant, metas)
        resources.drop_empty()

    def _apply_operations(self, resources: ResourceMap) -> None:
        if self._target is None:
            raise CommandError(f"must specify a target for JSON patch {_quoted(self._text)}")
        for one in self._target.select(resources):
            one.remember_id()
            try:
                one.object = json_patch.apply(one.object, self._operations)
            except json_patch.JsonPatchError as error:
                raise CommandError(error.message) from None


def _meant(resources: ResourceMap, patch: Resource) -> Resource:
    try:
        return resources.one_by_any_id(patch.original_id)
    except CommandError as error:
        raise CommandError(f'no resource matches strategic merge patch "{patch.original_id}": {error.message}') from None


def _quoted(text: str) -> str:
    import json

    return f"[patch: {json.dumps(text, ensure_ascii=False)}]"


def _operations(text: str) -> list[Any] | None:
    """The operations of a JSON patch; None where it is none."""
    try:
        value = load(text)
    except YamlError:
        return None
    return value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else None


class Metas:
    """How lists of each kind are merged: the schemas of built-in kinds, and those of an `openapi:` file."""

    def __init__(self) -> None:
        self._custom: dict[Gvk, PatchMeta] | None = None

    def replace(self, custom: dict[Gvk, PatchMeta]) -> None:
        """By the kinds of an `openapi:` file: built-in ones are then unknown but for those it has."""
        self._custom = custom

    def of(self, gvk: Gvk) -> PatchMeta:
        from kctl.apimachinery.schema import schemas

        if self._custom is not None:
            return self._custom.get(gvk, PatchMeta.none())
        return schemas.load().patch_meta(gvk.api_version, gvk.kind)


def apply_to(one: Resource, patch: Resource, metas: Metas) -> None:
    """Strategic merge; name, namespace and kind stay unless the patch may change them. A deleted object becomes empty."""
    name, namespace, kind = one.name, one.namespace, one.kind
    if patch.name_change_allowed or patch.kind_change_allowed:
        one.remember_id()
    merged = strategic.merge(one.object, patch.object, metas.of(one.gvk))
    if not merged:
        one.object = {}
        return
    one.object = merged
    if isinstance(merged.get("metadata"), dict):
        merged["metadata"] = dict(merged["metadata"])
    if not patch.kind_change_allowed:
        merged["kind"] = kind
    if not patch.name_change_allowed:
        one.set_metadata("name", name)
    one.set_metadata("namespace", namespace)


def strategic_patches(paths: Sequence[str], loader: Loader) -> list[Resource]:
    """patchesStrategicMerge: files, or the patches themselves. Raises CommandError."""
    patches: list[Resource] = []
    for path in paths:
        try:
            inline = resources_of(path.encode()) if "\n" in path or path.lstrip().startswith("{") else []
        except CommandError:
            inline = []
        patches += inline or resources_of(loader.load(path))
    return patches
