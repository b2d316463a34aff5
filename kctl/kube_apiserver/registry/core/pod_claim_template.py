"""Validation of PersistentVolumeClaim templates: in generic ephemeral volumes and in StatefulSets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector, validate_labels

_ACCESS_MODES = enums.of("PersistentVolumeClaimSpec.accessModes")


def validate(template: Mapping[str, Any], path: str) -> list[FieldError]:
    """A template of a volume: only labels and annotations in its metadata, and a valid spec."""
    meta = template.get("metadata") or {}
    errors = validate_labels(meta.get("labels"), f"{path}.metadata.labels")
    for key in meta.get("annotations") or ():
        errors += names.errors(f"{path}.metadata.annotations", key.lower(), names.qualified_name)
    for field in meta:
        if field not in ("labels", "annotations", "creationTimestamp"):
            errors.append(fe.forbidden(f"{path}.metadata.{field}", "cannot be set for an ephemeral volume"))
    return errors + validate_claim_spec(template.get("spec") or {}, f"{path}.spec")


def validate_claim_spec(spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = _access_modes(spec.get("accessModes") or [], f"{path}.accessModes")
    if spec.get("selector") is not None:
        errors += validate_label_selector(spec["selector"], f"{path}.selector")
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    here = f"{path}.resources[storage]"
    if storage is None:
        errors.append(fe.required(here))
    elif quantity.parse(storage) <= 0:
        errors.append(fe.invalid(here, quantity.canonical(storage), "must be greater than zero"))
    if spec.get("storageClassName"):
        errors += names.errors(f"{path}.storageClassName", spec["storageClassName"], names.dns1123_subdomain)
    mode = spec.get("volumeMode")
    if mode is not None and mode not in ("Block", "Filesystem"):
        errors.append(fe.unsupported(f"{path}.volumeMode", mode, enums.of("PersistentVolumeClaimSpec.volumeMode")))
    for field in ("dataSource", "dataSourceRef"):
        if spec.get(field) is not None:
            errors += _data_source(spec[field], f"{path}.{field}")
    return errors


def _access_modes(modes: list[str], path: str) -> list[FieldError]:
    if not modes:
        return [fe.required(path, "at least 1 access mode is required")]
    errors = [fe.unsupported(path, mode, _ACCESS_MODES) for mode in modes if mode not in _ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(mode != "ReadWriteOncePod" for mode in modes):
        errors.append(fe.forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def _data_source(source: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not source.get("name"):
        errors.append(fe.required(f"{path}.name"))
    if not source.get("kind"):
        errors.append(fe.required(f"{path}.kind"))
    if not source.get("apiGroup") and source.get("kind") != "PersistentVolumeClaim":
        why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(fe.invalid(path, source.get("kind") or "", why))
    return errors
