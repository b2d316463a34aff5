"""Validation of a pod's volumes: names, exactly one source each, the rules of every kind of source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.core import pod_legacy_volumes
from kctl.kube_apiserver.registry.core.claim_rules import CLAIM_TEMPLATE
from kctl.kube_apiserver.registry.core.pod_env_validation import VOLUME_FIELDS, validate_field_ref, validate_resource_field_ref
from kctl.kube_apiserver.registry.core.pod_paths import local_non_reserved_path, no_backsteps
from kctl.kube_apiserver.registry.core.pod_projected_validation import validate_projected

Source = Mapping[str, Any]
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_MORE = "may not specify more than 1 volume type"
_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")

# (field, path element of "more than 1", path element of the source's own errors), in the order they are checked.
_SOURCES = (
    ("emptyDir", "", "emptyDir"),
    ("hostPath", "hostPath", "hostPath"),
    ("gitRepo", "gitRepo", "gitRepo"),
    ("gcePersistentDisk", "gcePersistentDisk", "persistentDisk"),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore"),
    ("secret", "secret", "secret"),
    ("nfs", "nfs", "nfs"),
    ("iscsi", "iscsi", "iscsi"),
    ("glusterfs", "glusterfs", "glusterfs"),
    ("flocker", "flocker", "flocker"),
    ("persistentVolumeClaim", "persistentVolumeClaim", "persistentVolumeClaim"),
    ("rbd", "rbd", "rbd"),
    ("cinder", "cinder", "cinder"),
    ("cephfs", "cephFS", "cephfs"),
    ("quobyte", "quobyte", "quobyte"),
    ("downwardAPI", "downwarAPI", "downwardAPI"),
    ("fc", "fc", "fc"),
    ("flexVolume", "flexVolume", "flexVolume"),
    ("configMap", "configMap", "configMap"),
    ("azureFile", "azureFile", "azureFile"),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume"),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk"),
    ("portworxVolume", "portworxVolume", "portworxVolume"),
    ("azureDisk", "azureDisk", "azureDisk"),
    ("storageos", "storageos", "storageos"),
    ("projected", "projected", "projected"),
    ("scaleIO", "scaleIO", "scaleIO"),
    ("csi", "csi", "csi"),
    ("ephemeral", "ephemeral", "ephemeral"),
    ("image", "image", "image"),
)


def validate_volumes(
    volumes: Sequence[dict[str, Any]], pod_name: str, path: str, is_pod: bool
) -> tuple[dict[str, dict[str, Any]], list[FieldError]]:
    """The valid volumes by name (mounts may only refer to those) and all problems. `pod_name` is '' in templates."""
    errors: list[FieldError] = []
    valid: dict[str, dict[str, Any]] = {}
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        name = volume.get("name") or ""
        found = _source(volume, name, pod_name, here, is_pod)
        if not name:
            found.append(fe.required(f"{here}.name"))
        else:
            found += names.errors(f"{here}.name", name, names.dns1123_label)
        if name in valid:
            found.append(fe.duplicate(f"{here}.name", name))
        if found:
            errors += found
        else:
            valid[name] = volume
    return valid, errors


def _source(volume: dict[str, Any], name: str, pod_name: str, path: str, is_pod: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    seen = False
    for field, more, element in _SOURCES:
        source = volume.get(field)
        if source is None:
            continue
        if seen:
            errors.append(fe.forbidden(f"{path}.{more}", _MORE))
            continue
        seen = True
        errors += _validate(field, source, f"{path}.{element}", is_pod)
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


def _validate(field: str, source: Source, path: str, is_pod: bool) -> list[FieldError]:
    match field:
        case "emptyDir":
            return _empty_dir(source, path)
        case "hostPath":
            return host_path(source, path)
        case "secret":
            return _keys(source, "secretName", path)
        case "configMap":
            return _keys(source, "name", path)
        case "downwardAPI":
            errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
            for item in source.get("items") or ():
                errors += downward_file(item, path)
            return errors
        case "persistentVolumeClaim":
            return pod_legacy_volumes.require(source, path, "claimName")
        case "projected":
            errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
            return errors + validate_projected(source, path, key_to_path, downward_file)
        case "csi":
            return _csi(source, path)
        case "ephemeral":
            template = source.get("volumeClaimTemplate")
            if template is None:
                return [fe.required(f"{path}.volumeClaimTemplate")]
            return CLAIM_TEMPLATE.errors_at(template, f"{path}.volumeClaimTemplate")
        case "image":
            errors = []
            if is_pod and not source.get("reference"):
                errors.append(fe.required(f"{path}.reference"))
            return errors + validate_pull_policy(source.get("pullPolicy") or "", f"{path}.pullPolicy")
        case _:
            return pod_legacy_volumes.validate(field, source, path)


def validate_pull_policy(policy: str, path: str) -> list[FieldError]:
    if policy in enums.of("Container.imagePullPolicy"):
        return []
    return [fe.unsupported(path, policy, enums.of("Container.imagePullPolicy"))] if policy else [fe.required(path)]


def _empty_dir(source: Source, path: str) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and quantity.parse(limit) < 0:
        return [fe.forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def host_path(source: Source, path: str) -> list[FieldError]:
    target = source.get("path") or ""
    if not target:
        return [fe.required(f"{path}.path")]
    errors = no_backsteps(target, f"{path}.path")
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        errors.append(fe.unsupported(f"{path}.type", kind, _HOST_PATH_TYPES))
    return errors


def file_mode(mode: int | None, path: str) -> list[FieldError]:
    return [fe.invalid(path, mode, _MODE)] if mode is not None and not 0 <= mode <= 0o777 else []


def _keys(source: Source, name: str, path: str) -> list[FieldError]:
    errors = pod_legacy_volumes.require(source, path, name)
    errors += file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for index, item in enumerate(source.get("items") or ()):
        errors += key_to_path(item, f"{path}.items[{index}]")
    return errors


def key_to_path(item: Source, path: str) -> list[FieldError]:
    errors = pod_legacy_volumes.require(item, path, "key", "path")
    errors += local_non_reserved_path(item.get("path") or "", f"{path}.path")
    return errors + file_mode(item.get("mode"), f"{path}.mode")


def downward_file(item: Source, path: str) -> list[FieldError]:
    """A file of a downward API volume; upstream reports them all at the volume's path."""
    errors = pod_legacy_volumes.require(item, path, "path")
    errors += local_non_reserved_path(item.get("path") or "", f"{path}.path")
    if item.get("fieldRef") is not None:
        errors += validate_field_ref(item["fieldRef"], VOLUME_FIELDS, f"{path}.fieldRef")
        if item.get("resourceFieldRef") is not None:
            why = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(fe.invalid(path, "resource", why))
    elif item.get("resourceFieldRef") is not None:
        errors += validate_resource_field_ref(item["resourceFieldRef"], f"{path}.resourceFieldRef", True)
    else:
        errors.append(fe.required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + file_mode(item.get("mode"), f"{path}.mode")


def _csi(source: Source, path: str) -> list[FieldError]:
    driver = source.get("driver") or ""
    errors: list[FieldError] = []
    if not driver:
        errors.append(fe.required(f"{path}.driver"))
    if len(driver) > 63:
        errors.append(fe.too_long(f"{path}.driver", 63))
    errors += names.errors(f"{path}.driver", driver.lower(), names.dns1123_subdomain)
    secret = source.get("nodePublishSecretRef")
    if secret is not None:
        name = secret.get("name") or ""
        here = f"{path}.nodePublishSecretRef.name"
        errors += names.errors(here, name, names.dns1123_subdomain) if name else [fe.required(here)]
    return errors
