"""Validation of a pod's volumes: names, exactly one source each, the rules of every kind of source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.core.volume_sources import VOLUME_SOURCES

Source = Mapping[str, Any]
_MORE = "may not specify more than 1 volume type"
_SHOWN_AS_SECOND = {"emptyDir": "", "cephfs": "cephFS", "downwardAPI": "downwarAPI"}
"""Paths of upstream's that are not the field's name: where a source is one too many, ..."""
_SHOWN = {"gcePersistentDisk": "persistentDisk"}
"""... and of what is wrong in it."""


def validate_volumes(
    volumes: Sequence[dict[str, Any]], pod_name: str, path: str, is_pod: bool
) -> tuple[dict[str, dict[str, Any]], list[FieldError]]:
    """The valid volumes by name (mounts may only refer to those) and all problems. `pod_name` is '' in templates."""
    errors: list[FieldError] = []
    valid: dict[str, dict[str, Any]] = {}
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        name = volume.get("name") or ""
        problems = _source(volume, name, pod_name, here, is_pod)
        if not name:
            problems.append(fe.required(f"{here}.name"))
        else:
            problems += names.errors(f"{here}.name", name, names.dns1123_label)
        if name in valid:
            problems.append(fe.duplicate(f"{here}.name", name))
        if problems:
            errors += problems
        else:
            valid[name] = volume
    return valid, errors


def _source(volume: dict[str, Any], name: str, pod_name: str, path: str, is_pod: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    seen = False
    for field, rules in VOLUME_SOURCES.items():
        source = volume.get(field)
        if source is None:
            continue
        if seen:
            errors.append(fe.forbidden(f"{path}.{_SHOWN_AS_SECOND.get(field, field)}", _MORE))
            continue
        seen = True
        errors += rules.errors_at(source, f"{path}.{_SHOWN.get(field, field)}", is_pod)
        if field == "iscsi" and source.get("initiatorName") is not None:
            errors += _iscsi_name(name, source, path)
        if field == "ephemeral" and pod_name and name:
            claim = f"{pod_name}-{name}"
            for problem in names.dns1123_subdomain(claim):
                errors.append(fe.invalid(f"{path}.name", name, f"PVC name {fe.go_value(claim)}: {problem}"))
    if not seen:
        errors.append(fe.required(path, "must specify a volume type"))
    return errors


def _iscsi_name(name: str, source: Source, path: str) -> list[FieldError]:
    if len(f"{name}:{source.get('targetPortal') or ''}") <= 64:
        return []
    why = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."
    return [fe.invalid(f"{path}.name", name, why)]
