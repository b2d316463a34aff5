"""What a kustomization does to all its objects: namespace, name prefix and suffix, labels, annotations, replicas, images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kctl.apimachinery.go_patterns import GoPatternError, compiled
from kctl.cli.errors import CommandError
from kctl.cli.kustomize import field_specs
from kctl.cli.kustomize.field_specs import FieldSpec
from kctl.cli.kustomize.resource import Gvk, Resource, ResourceMap

_NOT_RENAMED: Final = (Gvk(kind="CustomResourceDefinition"), Gvk("apiregistration.k8s.io", "", "APIService"), Gvk(kind="Namespace"))
_BINDINGS: Final = ("RoleBinding", "ClusterRoleBinding")
_METADATA_NAMESPACE: Final = FieldSpec("metadata/namespace", create=True)
DEFAULT_ONLY: Final = "defaultOnly"
ALL_SERVICE_ACCOUNTS: Final = "allServiceAccounts"
NONE: Final = "none"


def set_namespace(
    resources: ResourceMap,
    namespace: str,
    specs: Sequence[FieldSpec],
    *,
    unset_only: bool = False,
    subjects: str = DEFAULT_ONLY,
) -> None:
    """Of everything that has one. `unset_only` leaves what is set; `subjects` says whose namespace in (Cluster)RoleBindings changes.
    Raises CommandError where two objects become one."""
    if not namespace:
        return
    for one in resources.resources:
        one.remember_id()
        _place(one, namespace, specs, unset_only, subjects)
        same = [other for other in resources.resources if other.id.equals(one.id)]
        if len(same) != 1:
            raise CommandError(f"namespace transformation produces ID conflict: [{' '.join(_json(other) for other in same)}]")


def _json(one: Resource) -> str:
    """With what kustomize notes in annotations until the end."""
    import orjson

    namespaces, names, kinds = (",".join(values) for values in zip(*one.previous, strict=True))
    notes = {"previousKinds": kinds, "previousNames": names, "previousNamespaces": namespaces}
    noted = {**one.strings("annotations"), **{f"internal.config.kubernetes.io/{key}": value for key, value in notes.items()}}
    shown = {**one.object, "metadata": {**one.metadata, "annotations": noted}}
    return orjson.dumps(shown, option=orjson.OPT_SORT_KEYS).decode()


def _place(one: Resource, namespace: str, specs: Sequence[FieldSpec], unset_only: bool, subjects: str) -> None:
    def changed(value: Any) -> Any:
        return value if unset_only and value not in (None, "") else namespace

    if not one.gvk.is_cluster_scoped:
        field_specs.apply(one.object, _METADATA_NAMESPACE, changed, str)
    is_binding = one.kind in _BINDINGS
    if is_binding:
        _place_subjects(one, changed, subjects)
    for spec in specs:
        if spec.path == _METADATA_NAMESPACE.path or (is_binding and spec.gvk.kind in _BINDINGS and spec.path == "subjects"):
            continue
        field_specs.apply(one.object, spec, changed, str)


def _place_subjects(one: Resource, changed: Any, subjects: str) -> None:
    if subjects == NONE:
        return
    found = one.object.get("subjects")
    for subject in found if isinstance(found, list) else ():
        if isinstance(subject, dict) and (
            subject.get("name") == "default" if subjects == DEFAULT_ONLY else subject.get("kind") == "ServiceAccount"
        ):
            subject["namespace"] = changed(subject.get("namespace"))


def add_prefix(resources: ResourceMap, prefix: str, specs: Sequence[FieldSpec]) -> None:
    _affix(resources, specs, prefix, "")


def add_suffix(resources: ResourceMap, suffix: str, specs: Sequence[FieldSpec]) -> None:
    _affix(resources, specs, "", suffix)


def _affix(resources: ResourceMap, specs: Sequence[FieldSpec], prefix: str, suffix: str) -> None:
    if not prefix and not suffix:
        return
    for one in resources.resources:
        original = one.original_id.gvk
        if any(original.is_selected(gvk) for gvk in _NOT_RENAMED):
            continue
        for spec in specs:
            if not original.is_selected(spec.gvk):
                continue
            if spec.path == "metadata/name":
                if prefix:
                    one.prefixes.append(prefix)
                if suffix:
                    one.suffixes.append(suffix)
                one.remember_id()
            field_specs.apply(one.object, spec, lambda value: f"{prefix}{'' if value is None else value}{suffix}")


def add_entries(resources: Iterable[Resource], entries: Mapping[str, str], specs: Sequence[FieldSpec]) -> None:
    """Labels or annotations."""
    if not entries:
        return
    for one in resources:
        for spec in specs:
            field_specs.apply(one.object, spec, lambda value: {**(value or {}), **entries}, dict)


def set_replicas(resources: ResourceMap, name: str, count: int, specs: Sequence[FieldSpec]) -> None:
    """Of what is or was called that. Raises CommandError where nothing is."""
    found = False
    for spec in specs:
        for one in resources.resources:
            ids = (*one.previous_ids, one.id)
            if any(known.name == name and known.gvk.is_selected(spec.gvk) for known in ids):
                found = True
                field_specs.apply(one.object, FieldSpec(spec.path, Gvk(), spec.create), lambda _: count, int)
    if not found:
        kinds = " ".join(str(spec.gvk) for spec in specs)
        raise CommandError(f"resource with name {name} does not match a config with the following GVK [{kinds}]")


def set_image(resources: ResourceMap, image: Mapping[str, Any], specs: Sequence[FieldSpec]) -> None:
    """`image`: name, newName, newTag, digest, tagSuffix."""
    try:
        pattern = compiled(rf"^{image.get('name') or ''}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$")
    except GoPatternError as error:
        raise CommandError(str(error)) from None

    def changed(value: Any) -> Any:
        return new_image(value, image) if isinstance(value, str) and pattern.search(value) else value

    for one in resources.resources:
        if one.kind != "CustomResourceDefinition":
            _in_containers(one.object, changed)
        for spec in specs:
            field_specs.apply(one.object, spec, changed)


def _in_containers(value: Any, changed: Any) -> None:
    """Wherever there is a list called containers or initContainers."""
    if isinstance(value, list):
        for entry in value:
            _in_containers(entry, changed)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in ("containers", "initContainers") and isinstance(inner, list):
                for container in inner:
                    if isinstance(container, dict) and "image" in container:
                        container["image"] = changed(container["image"])
            _in_containers(inner, changed)


def new_image(value: str, image: Mapping[str, Any]) -> str:
    name, tag, digest = split_image(value)
    new_tag, new_digest, suffix = (str(image.get(field) or "") for field in ("newTag", "digest", "tagSuffix"))
    name = str(image.get("newName") or "") or name
    if new_tag or new_digest:
        tag, digest = new_tag, new_digest
    elif suffix:
        tag, digest = tag + suffix, ""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split_image(value: str) -> tuple[str, str, str]:
    """host:5000/app:1@sha256:... -> name, tag, digest; what stands before the first slash may have a port."""
    slash = max(value.find("/"), 0)
    at, colon = value.find("@", slash), value.find(":", slash)
    if at >= 0 and (colon < 0 or at < colon):
        return value[:at], "", value[at + 1 :]
    if colon < 0:
        return value, "", ""
    end = at if at >= 0 else len(value)
    return value[:colon], value[colon + 1 : end], value[end + 1 :]
