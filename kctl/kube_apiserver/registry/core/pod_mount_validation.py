"""Validation of a container's volumeMounts and volumeDevices against the pod's volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.core.pod_paths import local_descending_path, no_backsteps

_PROPAGATION = enums.of("VolumeMount.mountPropagation")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(container: Mapping[str, Any], volumes: Mapping[str, Any], path: str) -> list[FieldError]:
    """Errors of subPath, mountPropagation and recursiveReadOnly carry no index, as upstream reports them."""
    errors: list[FieldError] = []
    devices = {device.get("name"): device.get("devicePath") for device in container.get("volumeDevices") or ()}
    seen: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{path}[{index}]"
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            errors.append(fe.required(f"{here}.name"))
        if name not in volumes:
            errors.append(fe.not_found(f"{here}.name", name))
        if not target:
            errors.append(fe.required(f"{here}.mountPath"))
        if target in seen:
            errors.append(fe.invalid(f"{here}.mountPath", target, "must be unique"))
        seen.add(target)
        if devices:
            if name in devices:
                errors.append(fe.invalid(f"{here}.name", name, "must not already exist in volumeDevices"))
            if target in devices.values():
                why = "must not already exist as a path in volumeDevices"
                errors.append(fe.invalid(f"{here}.mountPath", target, why))
        errors += _options(mount, container, path, here)
    return errors


def _options(mount: Mapping[str, Any], container: Mapping[str, Any], path: str, here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if mount.get("subPath"):
        errors += local_descending_path(mount["subPath"], f"{path}.subPath")
    if mount.get("subPathExpr"):
        expression = mount["subPathExpr"]
        if mount.get("subPath"):
            why = "subPathExpr and subPath are mutually exclusive"
            errors.append(fe.invalid(f"{here}.subPathExpr", expression, why))
        errors += local_descending_path(expression, f"{path}.subPathExpr")
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        if propagation not in _PROPAGATION:
            errors.append(fe.unsupported(f"{path}.mountPropagation", propagation, _PROPAGATION))
        if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
            why = "Bidirectional mount propagation is available only to privileged containers"
            errors.append(fe.forbidden(f"{path}.mountPropagation", why))
    recursive = mount.get("recursiveReadOnly")
    if recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            why = "may only be specified when readOnly is true"
            errors.append(fe.forbidden(f"{path}.recursiveReadOnly", why))
        if propagation not in (None, "None"):
            why = "may only be specified when mountPropagation is None or not specified"
            errors.append(fe.forbidden(f"{path}.recursiveReadOnly", why))
    elif recursive is not None and recursive != "Disabled":
        errors.append(fe.unsupported(f"{path}.recursiveReadOnly", recursive, _RECURSIVE))
    return errors


def validate_devices(container: Mapping[str, Any], volumes: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    mounts = {mount.get("name"): mount.get("mountPath") for mount in container.get("volumeMounts") or ()}
    seen_paths: set[str] = set()
    seen_names: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices") or ()):
        here = f"{path}[{index}]"
        name, target = device.get("name") or "", device.get("devicePath") or ""
        errors += _device_name(name, seen_names, volumes, f"{here}.name")
        if not target:
            errors.append(fe.required(f"{here}.devicePath"))
        if target in seen_paths:
            errors.append(fe.invalid(f"{here}.devicePath", target, "must be unique"))
        if target and no_backsteps(target, ""):
            errors.append(fe.invalid(f"{here}.devicePath", target, "can not contain backsteps ('..')"))
        else:
            seen_paths.add(target)
        if name in mounts:
            errors.append(fe.invalid(f"{here}.name", name, "must not already exist in volumeMounts"))
        if target in mounts.values():
            why = "must not already exist as a path in volumeMounts"
            errors.append(fe.invalid(f"{here}.devicePath", target, why))
        if name:
            seen_names.add(name)
    return errors


def _device_name(name: str, seen: set[str], volumes: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = [] if name else [fe.required(path)]
    if name in seen:
        errors.append(fe.invalid(path, name, "must be unique"))
    volume = volumes.get(name)
    if volume is None:
        errors.append(fe.not_found(path, name))
    elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
        why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        errors.append(fe.invalid(path, name, why))
    return errors
