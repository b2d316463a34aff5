"""The kustomization file: finding it, reading it strictly, and what deprecated fields stand for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from kctl.apimachinery.yaml import YamlError, load
from kctl.cli.errors import CommandError
from kctl.cli.kustomize.loader import Loader

FILE_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
KUSTOMIZATION: Final = "Kustomization"
COMPONENT: Final = "Component"
_VERSIONS: Final = {KUSTOMIZATION: "kustomize.config.k8s.io/v1beta1", COMPONENT: "kustomize.config.k8s.io/v1alpha1"}
MAX_ENTRIES: Final = 10_000
"""Of one list in the file."""


class _Struct:
    """A Go type: its name, and its fields by their JSON names (Go's path to the field, what it holds). What it holds is a word for a
    scalar, `[]word`, `map[string]word`, a _Struct, or a list with one."""

    def __init__(self, go_name: str, scalars: str = "", /, **structs: Any) -> None:
        """`scalars`: `path:kind` words; a path through embedded structs has dots."""
        self.name = go_name
        self.fields: dict[str, tuple[str, Any]] = {}
        for word in scalars.split():
            path, _, kind = word.partition(":")
            self.fields[path.rsplit(".", 1)[-1]] = (path, kind or "string")
        for path, shape in structs.items():
            path = path.replace("__", ".")
            self.fields[path.rsplit(".", 1)[-1]] = (path, shape)


_GVK: Final = "Gvk.group Gvk.version Gvk.kind"
_ID: Final = "ResId.Gvk.group ResId.Gvk.version ResId.Gvk.kind ResId.name ResId.namespace"
_SELECTOR: Final = _Struct("Selector", f"{_ID} labelSelector annotationSelector")
_PATCH_ARGUMENTS: Final = _Struct("PatchArgs", "allowNameChange:bool allowKindChange:bool")
_PATCH: Final = _Struct("Patch", "path patch", target=_SELECTOR, options=_PATCH_ARGUMENTS)
_OPTIONS: Final = _Struct(
    "GeneratorOptions", "labels:map[string]string annotations:map[string]string disableNameSuffixHash:bool immutable:bool"
)
_SOURCES: Final = " ".join(f"GeneratorArgs.KvPairSources.{field}:[]string" for field in ("literals", "files", "envs"))
_ARGUMENTS: Final = (
    f"GeneratorArgs.name GeneratorArgs.namespace GeneratorArgs.behavior GeneratorArgs.filesMergeMode "
    f"GeneratorArgs.KvPairSources.env {_SOURCES}"
)
_SPEC: Final = _Struct("FieldSpec", f"path {_GVK} create:bool")
_FIELD_OPTIONS: Final = _Struct("FieldOptions", "delimiter index:int encoding create:bool")
_TARGETS: Final = _Struct("TargetSelector", "fieldPaths:[]string", select=_SELECTOR, reject=[_SELECTOR], options=_FIELD_OPTIONS)
_REPLACEMENT: Final = _Struct(
    "ReplacementField",
    "path Replacement.sourceValue",
    Replacement__source=_Struct("SourceSelector", f"{_ID} fieldPath", options=_FIELD_OPTIONS),
    Replacement__targets=[_TARGETS],
)
_IMAGE: Final = _Struct("Image", "name newName newTag digest tagSuffix")
_ANYTHING: Final = "any"
_LISTS: Final = "resources components crds bases configurations generators transformers validators buildMetadata patchesStrategicMerge"
_SHAPE: Final = _Struct(
    "Kustomization",
    "TypeMeta.apiVersion TypeMeta.kind namePrefix nameSuffix namespace openapi:map[string]string commonLabels:map[string]string "
    "commonAnnotations:map[string]string " + " ".join(f"{field}:[]string" for field in _LISTS.split()),
    metadata=_Struct("ObjectMeta", "name namespace labels:map[string]string annotations:map[string]string"),
    labels=[_Struct("Label", "pairs:map[string]string includeSelectors:bool includeTemplates:bool", fields=[_SPEC])],
    patchesJson6902=[_PATCH],
    patches=[_PATCH],
    images=[_IMAGE],
    imageTags=[_IMAGE],
    replacements=[_REPLACEMENT],
    replicas=[_Struct("Replica", "name count:int64")],
    vars=[
        _Struct(
            "Var",
            "name",
            objref=_Struct("Target", f"apiVersion {_GVK} name namespace"),
            fieldref=_Struct("FieldSelector", "fieldpath"),
        )
    ],
    sortOptions=_Struct("SortOptions", "order", legacySortOptions=_Struct("LegacySortOptions", "orderFirst:[]string orderLast:[]string")),
    configMapGenerator=[_Struct("ConfigMapArgs", _ARGUMENTS, GeneratorArgs__options=_OPTIONS)],
    secretGenerator=[_Struct("SecretArgs", f"{_ARGUMENTS} type", GeneratorArgs__options=_OPTIONS)],
    generatorOptions=_OPTIONS,
    helmGlobals=_ANYTHING,
    helmCharts=_ANYTHING,
    helmChartInflationGenerator=_ANYTHING,
    inventory=_ANYTHING,
)
_DEPRECATED: Final = {
    "bases": ("resources", ""),
    "commonLabels": ("labels", ""),
    "imageTags": ("images", ""),
    "patchesJson6902": ("patches", ""),
    "patchesStrategicMerge": ("patches", ""),
    "vars": ("replacements", "[EXPERIMENTAL] "),
}


class Kustomization(dict[str, Any]):
    """The fields of the file, with what is left out as empty lists and maps by `entries` and `mapping`."""

    file_name: str = ""

    def entries(self, field: str) -> list[Any]:
        return self.get(field) or []

    def mapping(self, field: str) -> dict[str, Any]:
        return self.get(field) or {}

    def text(self, field: str) -> str:
        return str(self.get(field) or "")


def read(loader: Loader, warn: Callable[[str], object] | None = None) -> Kustomization:
    """The kustomization in the loader's folder. `warn` hears of deprecated fields. Raises CommandError."""
    name = _file_name(loader.root)
    try:
        value = load(loader.load(name))
    except YamlError as error:
        raise CommandError(f"invalid Kustomization: {error.message}") from None
    if value is None:
        raise CommandError("kustomization.yaml is empty")
    if not isinstance(value, dict):
        raise CommandError(f"invalid Kustomization: json: cannot unmarshal {_kind(value)} into Go value of type types.Kustomization")
    _check_struct(value, _SHAPE, "")
    if not any(inner is not None for field, inner in value.items() if field not in ("apiVersion", "kind")):
        raise CommandError("kustomization.yaml is empty")
    kustomization = Kustomization(value)
    kustomization.file_name = name
    _check_kind(kustomization, loader.root)
    if warn is not None:
        for field, (instead, experimental) in sorted(_DEPRECATED.items()):
            if kustomization.get(field) is not None:
                command = f"{experimental}Run 'kustomize edit fix' to update your Kustomization automatically."
                warn(f"# Warning: '{field}' is deprecated. Please use '{instead}' instead. {command}")
    _modernize(kustomization)
    return kustomization


def _file_name(root: str) -> str:
    found = [name for name in FILE_NAMES if os.path.isfile(os.path.join(root, name))]
    if not found:
        names = "', '".join(FILE_NAMES[:2])
        raise CommandError(f"unable to find one of '{names}' or '{FILE_NAMES[2]}' in directory '{root}'")
    if len(found) > 1:
        raise CommandError(f"Found multiple kustomization files under: {root}")
    return found[0]


def _check_kind(kustomization: Kustomization, root: str) -> None:
    kind, version = kustomization.text("kind"), kustomization.text("apiVersion")
    problems = []
    if kind not in ("", KUSTOMIZATION, COMPONENT):
        problems.append(f"kind should be {KUSTOMIZATION} or {COMPONENT}")
    required = _VERSIONS.get(kind, _VERSIONS[KUSTOMIZATION])
    if version and version != required:
        problems.append(f"apiVersion for {kind or KUSTOMIZATION} should be {required}")
    if problems:
        raise CommandError(f"Failed to read kustomization file under {root}:\n" + "\n".join(problems))


def _modernize(kustomization: Kustomization) -> None:
    kustomization["resources"] = [*kustomization.entries("resources"), *kustomization.entries("bases")]
    kustomization["images"] = [*kustomization.entries("images"), *kustomization.entries("imageTags")]
    for field in ("configMapGenerator", "secretGenerator"):
        kustomization[field] = [
            {**entry, "envs": [*(entry.get("envs") or ()), entry["env"]]} if entry.get("env") else entry
            for entry in kustomization.entries(field)
        ]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    names = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _check_struct(value: Mapping[str, Any], shape: _Struct, path: str) -> None:
    by_lower = {name.lower(): name for name in shape.fields}
    for key, inner in value.items():
        name = key if key in shape.fields else by_lower.get(key.lower())
        if name is None:
            raise CommandError(f'invalid Kustomization: json: unknown field "{key}"')
        go_path, kind = shape.fields[name]
        _check_value(inner, kind, shape.name, f"{path}.{go_path}")


def _check_value(value: Any, shape: Any, struct: str, path: str) -> None:
    if value is None or shape == _ANYTHING:
        return
    if isinstance(shape, _Struct):
        if not isinstance(value, dict):
            raise _wrong(value, struct, path, f"types.{shape.name}")
        _check_struct(value, shape, path)
    elif isinstance(shape, list) or shape.startswith("[]"):
        inner = shape[0] if isinstance(shape, list) else shape[2:]
        if not isinstance(value, list):
            pointer = "*" if path.endswith((".targets", ".reject")) else ""
            raise _wrong(value, struct, path, f"[]{pointer}types.{inner.name}" if isinstance(inner, _Struct) else shape)
        if len(value) > MAX_ENTRIES:
            raise CommandError(f"invalid Kustomization: {path.lstrip('.')} may have {MAX_ENTRIES} entries")
        for entry in value:
            _check_value(entry, inner, struct, path)
    elif shape.startswith("map[string]"):
        if not isinstance(value, dict):
            raise _wrong(value, struct, path, shape)
        for entry in value.values():
            _check_value(entry, shape.removeprefix("map[string]"), struct, path)
    elif _kind(value) != {"string": "string", "bool": "bool"}.get(shape, "number"):
        raise _wrong(value, struct, path, _NAMED_STRINGS.get(path, shape))


_NAMED_STRINGS: Final = {".sortOptions.order": "types.SortOrder", ".patchesStrategicMerge": "types.PatchStrategicMerge"}


def _wrong(value: Any, struct: str, path: str, wanted: str) -> CommandError:
    """In encoding/json's words: the innermost struct, and the path from the outermost."""
    return CommandError(
        f"invalid Kustomization: json: cannot unmarshal {_kind(value)} into Go struct field {struct}{path} of type {wanted}"
    )
