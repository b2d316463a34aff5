"""What a claim must be, wherever it stands: in a PersistentVolumeClaim, a pod's ephemeral volume, a StatefulSet's claim templates."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.rules.language import field, optional, pointer, struct
from kctl.kube_apiserver.registry.rules.template_metadata import TEMPLATE_METADATA

Spec = dict[str, Any]
ACCESS_MODES = enums.of("PersistentVolumeClaimSpec.accessModes")
VOLUME_MODES = enums.of("PersistentVolumeClaimSpec.volumeMode")


def access_mode_errors(modes: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for mode in modes:
        errors += field_checks.enum(path, mode, ACCESS_MODES)
    known = set(modes) & set(ACCESS_MODES)
    if "ReadWriteOncePod" in known and len(known) > 1:
        errors.append(field_errors.forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def requests(spec: Spec) -> dict[str, Any]:
    return (spec.get("resources") or {}).get("requests") or {}


def _requested(spec: Spec, path: str) -> list[FieldError]:
    here, storage = f"{path}.resources[storage]", requests(spec).get("storage")
    return [field_errors.required(here)] if storage is None else field_checks.positive_quantity(here, storage)


def _core_kind(source: Spec, path: str) -> list[FieldError]:
    if source.get("apiGroup") or source.get("kind") == "PersistentVolumeClaim":
        return []
    why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
    return [field_errors.invalid(path, source.get("kind") or "", why)]


def _both_sources(spec: Spec, path: str) -> list[FieldError]:
    """They say the same; one with a namespace stands alone. Upstream prints a path where the value belongs: {}."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is None or reference is None:
        return []
    if reference.get("namespace"):
        return [field_errors.invalid(path, {}, "may not be specified when dataSourceRef.namespace is specified")]
    differs = any((source.get(name) or "") != (reference.get(name) or "") for name in ("kind", "name"))
    if differs or source.get("apiGroup") != reference.get("apiGroup"):  # an empty group is not the same as none
        return [field_errors.invalid(path, {}, "must match dataSourceRef")]
    return []


_SOURCE = (
    field("name", required=True),
    field("kind", required=True),
    _core_kind,
    optional("apiGroup", names.dns1123_subdomain),
)
CLAIM_SPEC = struct(
    field("accessModes", required="at least 1 access mode is required"),
    pointer("selector", validate_label_selector),
    field("accessModes", access_mode_errors, zero=()),
    _requested,
    optional("storageClassName", names.dns1123_subdomain),
    pointer("volumeMode", enum=VOLUME_MODES, default="Filesystem"),
    pointer("dataSource", struct(*_SOURCE)),
    pointer("dataSourceRef", struct(*_SOURCE, optional("namespace", names.dns1123_label))),
    _both_sources,
    optional("volumeAttributesClassName", names.dns1123_subdomain),
)
CLAIM_TEMPLATE = struct(field("metadata", TEMPLATE_METADATA), field("spec", CLAIM_SPEC))
