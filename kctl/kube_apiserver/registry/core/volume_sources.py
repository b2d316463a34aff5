"""What each kind of volume source must be, in pods and in PersistentVolumes. The whole object that rules get is whether the volume is a
pod's (True) or a template's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.core.claim_rules import CLAIM_TEMPLATE
from kctl.kube_apiserver.registry.core.pod_env_validation import VOLUME_FIELDS, validate_field_ref, validate_resource_field_ref
from kctl.kube_apiserver.registry.core.pod_paths import local_descending_path, local_non_reserved_path, no_backsteps
from kctl.kube_apiserver.registry.core.pod_projected_validation import validate_projected
from kctl.kube_apiserver.registry.rules.checks import between, driver_name
from kctl.kube_apiserver.registry.rules.language import Field, Struct, each, field, optional, pointer, struct, when

Source = Mapping[str, Any]
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = ("", *enums.of("HostPathVolumeSource.type"))
_QUALIFIED_NAMES = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$"),
    "eui": re.compile(r"^eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"^naa.[A-Za-z0-9]{32}$"),
}
_REGISTRY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*):[^:]*")
_PAIRS = "must be a host:port pair or multiple pairs separated by commas"
_DISK_MANAGED = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_DISK_BLOB = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def _needs(*fields: str) -> tuple[Field, ...]:
    return tuple(field(name, required=True) for name in fields)


def _mode(mode: int) -> list[str]:
    return [] if 0 <= mode <= 0o777 else [_MODE]


def _size_limit(limit: Any, path: str) -> list[FieldError]:
    return [fe.forbidden(path, "SizeLimit field must be a valid resource quantity")] if quantity.parse(limit) < 0 else []


def _absolute(target: str) -> list[str]:
    return [] if target.startswith("/") else ["must be an absolute path"]


def _initiator(name: str) -> list[str]:
    for prefix, rule in _QUALIFIED_NAMES.items():
        if name.startswith(prefix):
            return [] if rule.search(name) else ["must be valid format"]
    return ["must be valid format starting with iqn, eui, or naa"]


def _chap_secret(source: Source, path: str) -> list[FieldError]:
    wanted = source.get("chapAuthDiscovery") or source.get("chapAuthSession")
    return [fe.required(f"{path}.secretRef")] if wanted and source.get("secretRef") is None else []


def _flocker(source: Source, path: str) -> list[FieldError]:
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    errors: list[FieldError] = []
    if not name and not uuid:
        errors.append(fe.required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        errors.append(fe.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
    if "/" in name:
        errors.append(fe.invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return errors


def _quobyte(source: Source, path: str) -> list[FieldError]:
    registry = source.get("registry") or ""
    if not registry:
        return [fe.required(f"{path}.registry", _PAIRS)]
    if len(source.get("tenant") or "") >= 65:
        return [fe.required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters")]
    return [fe.invalid(f"{path}.registry", registry, _PAIRS) for pair in registry.split(",") if not _REGISTRY.fullmatch(pair)]


def _fibre_channel(source: Source, path: str) -> list[FieldError]:
    here, ports, disks = f"{path}.targetWWNs", source.get("targetWWNs"), source.get("wwids")
    errors: list[FieldError] = []
    if not ports and not disks:
        errors.append(fe.required(here, "must specify either targetWWNs or wwids, but not both"))
    if ports and disks:
        errors.append(fe.invalid(here, ports, "targetWWNs and wwids can not be specified simultaneously"))
    return errors


def _reserved(options: Mapping[str, str], path: str) -> list[FieldError]:
    why = "kubernetes.io and k8s.io namespaces are reserved"
    reserved = (".kubernetes.io", ".k8s.io")
    return [fe.invalid(f"{path}[{key}]", key, why) for key in options if f".{key.partition('/')[0].lower()}".endswith(reserved)]


def _disk_uri(source: Source, path: str) -> list[FieldError]:
    kind, uri, here = source.get("kind"), source.get("diskURI") or "", f"{path}.diskURI"
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        return [fe.unsupported(here, uri, (_DISK_MANAGED,))]
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        return [fe.unsupported(here, uri, (_DISK_BLOB,))]
    return []


def _one_reference(item: Source, path: str) -> list[FieldError]:
    reference, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if reference is not None:
        errors = validate_field_ref(reference, VOLUME_FIELDS, f"{path}.fieldRef")
        if resource is not None:
            errors.append(fe.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
        return errors
    if resource is not None:
        return validate_resource_field_ref(resource, f"{path}.resourceFieldRef", True)
    return [fe.required(path, "one of fieldRef and resourceFieldRef is required")]


def _downward_files(source: Source, path: str) -> list[FieldError]:
    """Upstream reports them all at the volume's path."""
    return [error for item in source.get("items") or () for error in DOWNWARD_FILE.errors_at(item, path)]


def _projected(source: Source, path: str) -> list[FieldError]:
    return validate_projected(source, path, KEY_TO_PATH.errors_at, DOWNWARD_FILE.errors_at)


def _disk(name: str) -> Struct:
    return struct(*_needs(name), field("partition", between(0, 255, names.in_range(1, 255))))


def _files(name: str) -> Struct:
    """Of a Secret or a ConfigMap, which `name` names."""
    return struct(*_needs(name), _DEFAULT_MODE, field("items", each(KEY_TO_PATH)))


_FILE = (*_needs("path"), field("path", local_non_reserved_path))
_DEFAULT_MODE, _FILE_MODE = pointer("defaultMode", _mode), pointer("mode", _mode)
KEY_TO_PATH = struct(*_needs("key"), *_FILE, _FILE_MODE)
DOWNWARD_FILE = struct(*_FILE, _one_reference, _FILE_MODE)
_SECRET_REF = pointer("secretRef", struct(*_needs("name")))
_LUN = between(0, 255, names.in_range(0, 255))

VOLUME_SOURCES: Mapping[str, Struct] = {
    "emptyDir": struct(pointer("sizeLimit", _size_limit)),
    "hostPath": struct(
        field("path", no_backsteps, required=True),
        when(lambda source: source.get("path"), pointer("type", enum=_HOST_PATH_TYPES)),
    ),
    "gitRepo": struct(*_needs("repository"), field("directory", local_descending_path)),
    "gcePersistentDisk": _disk("pdName"),
    "awsElasticBlockStore": _disk("volumeID"),
    "secret": _files("secretName"),
    "nfs": struct(*_needs("server", "path"), field("path", _absolute)),
    "iscsi": struct(
        *_needs("targetPortal"),
        field("iqn", _initiator, required=True),
        field("lun", _LUN),
        _chap_secret,
        pointer("initiatorName", _initiator, shown="initiatorname"),
    ),
    "glusterfs": struct(*_needs("endpoints", "path")),
    "flocker": struct(_flocker),
    "persistentVolumeClaim": struct(*_needs("claimName")),
    "rbd": struct(*_needs("monitors", "image")),
    "cinder": struct(*_needs("volumeID"), _SECRET_REF),
    "cephfs": struct(*_needs("monitors")),
    "quobyte": struct(_quobyte, *_needs("volume")),
    "downwardAPI": struct(_DEFAULT_MODE, _downward_files),
    "fc": struct(
        _fibre_channel,
        when(lambda source: source.get("targetWWNs"), pointer("lun", _LUN, required="lun is required if targetWWNs is specified")),
    ),
    "flexVolume": struct(*_needs("driver"), optional("options", _reserved)),
    "configMap": _files("name"),
    "azureFile": struct(*_needs("secretName", "shareName")),
    "vsphereVolume": struct(*_needs("volumePath")),
    "photonPersistentDisk": struct(*_needs("pdID")),
    "portworxVolume": struct(*_needs("volumeID")),
    "azureDisk": struct(
        *_needs("diskName", "diskURI"),
        *(pointer(name, enum=enums.of(f"AzureDiskVolumeSource.{name}")) for name in ("cachingMode", "kind")),
        _disk_uri,
    ),
    "storageos": struct(
        field("volumeName", names.dns1123_label, required=True),
        optional("volumeNamespace", names.dns1123_label),
        _SECRET_REF,
    ),
    "projected": struct(_DEFAULT_MODE, _projected),
    "scaleIO": struct(*_needs("gateway", "system", "volumeName")),
    "csi": struct(
        field("driver", driver_name),
        pointer("nodePublishSecretRef", struct(field("name", names.dns1123_subdomain, required=True))),
    ),
    "ephemeral": struct(pointer("volumeClaimTemplate", CLAIM_TEMPLATE, required=True)),
    "image": struct(
        when(lambda source, in_pod: in_pod, *_needs("reference")),
        field("pullPolicy", required=True, enum=enums.of("Container.imagePullPolicy")),
    ),
}
"""In the order in which they are looked for."""
