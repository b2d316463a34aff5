"""generators, transformers, validators: configurations of kustomize's built-in plugins. What needs a program, a container or a chart is
refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.cli.errors import CommandError
from kctl.cli.kustomize import generators, patches, replacements, sort_order, transformers
from kctl.cli.kustomize.field_specs import FieldSpec
from kctl.cli.kustomize.loader import Loader
from kctl.cli.kustomize.patches import Metas, Patch
from kctl.cli.kustomize.resource import Resource, ResourceMap

Transform = Callable[[ResourceMap], None]


def _external(one: Resource) -> CommandError:
    return CommandError(f"external plugins disabled; unable to load external plugin '{one.kind}'")


def check_built_in(one: Resource, *, generator: bool) -> None:
    """Raises CommandError for a plugin that is not kustomize's own."""
    if one.object.get("apiVersion") != "builtin" or one.kind not in (_GENERATORS if generator else _TRANSFORMERS):
        error = _external(one)
        raise CommandError(f"loading generator plugins: failed to load generator: {error.message}") if generator else error


def generate(one: Resource, loader: Loader) -> Resource:
    check_built_in(one, generator=True)
    arguments = {**one.object, "name": one.name, "namespace": one.namespace}
    return generators.make(_GENERATORS[one.kind], arguments, generators.merged_options(None, one.object.get("options")), loader)


_GENERATORS = {"ConfigMapGenerator": "ConfigMap", "SecretGenerator": "Secret"}


def transformer(one: Resource, loader: Loader, metas: Metas) -> Transform:
    """What the configuration asks for. Raises CommandError."""
    check_built_in(one, generator=False)
    return _TRANSFORMERS[one.kind](one.object, loader, metas)


def _specs(config: Mapping[str, Any]) -> list[FieldSpec]:
    return [FieldSpec.of(entry) for entry in config.get("fieldSpecs") or () if isinstance(entry, dict)]


def _strings(value: Any) -> dict[str, str]:
    return {str(key): str(inner) for key, inner in value.items()} if isinstance(value, dict) else {}


def _entries(field: str) -> Callable[[Mapping[str, Any], Loader, Metas], Transform]:
    def make(config: Mapping[str, Any], _: Loader, __: Metas) -> Transform:
        return lambda resources: transformers.add_entries(resources.resources, _strings(config.get(field)), _specs(config))

    return make


def _namespace(config: Mapping[str, Any], _: Loader, __: Metas) -> Transform:
    name = str((config.get("metadata") or {}).get("namespace") or "")
    subjects = str(config.get("setRoleBindingSubjects") or transformers.DEFAULT_ONLY)
    if subjects not in (transformers.DEFAULT_ONLY, transformers.ALL_SERVICE_ACCOUNTS, transformers.NONE):
        raise CommandError(
            f'invalid value "{subjects}" for "setRoleBindingSubjects": must be one of "none", "defaultOnly" or "allServiceAccounts"'
        )
    unset_only = bool(config.get("unsetOnly"))
    return lambda resources: transformers.set_namespace(resources, name, _specs(config), unset_only=unset_only, subjects=subjects)


def _prefix(config: Mapping[str, Any], _: Loader, __: Metas) -> Transform:
    return lambda resources: transformers.add_prefix(resources, str(config.get("prefix") or ""), _specs(config))


def _suffix(config: Mapping[str, Any], _: Loader, __: Metas) -> Transform:
    return lambda resources: transformers.add_suffix(resources, str(config.get("suffix") or ""), _specs(config))


def _image(config: Mapping[str, Any], _: Loader, __: Metas) -> Transform:
    return lambda resources: transformers.set_image(resources, config.get("imageTag") or {}, _specs(config))


def _replicas(config: Mapping[str, Any], _: Loader, __: Metas) -> Transform:
    replica = config.get("replica") or {}
    name, count = str(replica.get("name") or ""), int(replica.get("count") or 0)
    return lambda resources: transformers.set_replicas(resources, name, count, _specs(config))


def _patch(config: Mapping[str, Any], loader: Loader, metas: Metas) -> Transform:
    entry = {name: config[name] for name in ("path", "patch", "target", "options") if config.get(name)}
    patch = Patch(entry, loader)
    return lambda resources: patch.apply(resources, metas)


def _json_patch(config: Mapping[str, Any], loader: Loader, metas: Metas) -> Transform:
    entry = {name: config[name] for name in ("path", "jsonOp", "target") if config.get(name)}
    patch = Patch(entry, loader, "jsonOp")
    return lambda resources: patch.apply(resources, metas)


def _strategic(config: Mapping[str, Any], loader: Loader, metas: Metas) -> Transform:
    texts = [str(path) for path in config.get("paths") or ()] + ([str(config["patches"])] if config.get("patches") else [])
    loaded = patches.strategic_patches(texts, loader)
    return lambda resources: apply_strategic(resources, loaded, metas)


def apply_strategic(resources: ResourceMap, loaded: list[Resource], metas: Metas) -> None:
    for patch in loaded:
        patches.apply_to(resources.one_by_any_id(patch.original_id), patch, metas)
    resources.drop_empty()


def _replacement(config: Mapping[str, Any], loader: Loader, _: Metas) -> Transform:
    entries = replacements.expanded(list(config.get("replacements") or ()), loader)
    return lambda resources: replacements.replace(resources, entries)


def _sort(config: Mapping[str, Any], _: Loader, __: Metas) -> Transform:
    return lambda resources: sort_order.sort(resources, config.get("sortOptions") or {"order": "fifo"})


def _hash(_: Mapping[str, Any], __: Loader, ___: Metas) -> Transform:
    return generators.add_hashes


_TRANSFORMERS: dict[str, Callable[[Mapping[str, Any], Loader, Metas], Transform]] = {
    "AnnotationsTransformer": _entries("annotations"),
    "HashTransformer": _hash,
    "ImageTagTransformer": _image,
    "LabelTransformer": _entries("labels"),
    "NamespaceTransformer": _namespace,
    "PatchJson6902Transformer": _json_patch,
    "PatchStrategicMergeTransformer": _strategic,
    "PatchTransformer": _patch,
    "PrefixTransformer": _prefix,
    "ReplacementTransformer": _replacement,
    "ReplicaCountTransformer": _replicas,
    "SortOrderTransformer": _sort,
    "SuffixTransformer": _suffix,
}
