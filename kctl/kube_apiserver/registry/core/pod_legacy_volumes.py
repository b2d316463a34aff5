"""Validation of the in-tree storage volume sources (disks, NFS, iSCSI, Ceph, ...): mostly which fields they need."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.core.pod_paths import local_descending_path

Source = Mapping[str, Any]

_REQUIRED = {
    "glusterfs": ("endpoints", "path"),
    "rbd": ("monitors", "image"),
    "cephfs": ("monitors",),
    "azureFile": ("secretName", "shareName"),
    "vsphereVolume": ("volumePath",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "scaleIO": ("gateway", "system", "volumeName"),
}
_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$")
_EUI = re.compile(r"^eui.[A-Za-z0-9]{16}$")
_NAA = re.compile(r"^naa.[A-Za-z0-9]{32}$")
_DISK_MANAGED = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_DISK_BLOB = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def require(source: Source, path: str, *fields: str) -> list[FieldError]:
    return [fe.required(f"{path}.{field}") for field in fields if not source.get(field)]


def validate(field: str, source: Source, path: str) -> list[FieldError]:
    if field in _REQUIRED:
        return require(source, path, *_REQUIRED[field])
    return _RULES[field](source, path)


def _secret_ref(source: Source, path: str) -> list[FieldError]:
    secret = source.get("secretRef")
    return [fe.required(f"{path}.secretRef.name")] if secret is not None and not secret.get("name") else []


def _git_repo(source: Source, path: str) -> list[FieldError]:
    errors = require(source, path, "repository")
    return errors + local_descending_path(source.get("directory") or "", f"{path}.directory")


def _disk(name: str) -> Callable[[Source, str], list[FieldError]]:
    def rule(source: Source, path: str) -> list[FieldError]:
        partition = source.get("partition") or 0
        errors = require(source, path, name)
        if not 0 <= partition <= 255:
            errors.append(fe.invalid(f"{path}.partition", partition, names.in_range(1, 255)))
        return errors

    return rule


def _nfs(source: Source, path: str) -> list[FieldError]:
    errors = require(source, path, "server", "path")
    target = source.get("path") or ""
    if not target.startswith("/"):
        errors.append(fe.invalid(f"{path}.path", target, "must be an absolute path"))
    return errors


def _iscsi(source: Source, path: str) -> list[FieldError]:
    errors = require(source, path, "targetPortal")
    iqn = source.get("iqn") or ""
    errors += _initiator(iqn, f"{path}.iqn") if iqn else [fe.required(f"{path}.iqn")]
    lun = source.get("lun") or 0
    if not 0 <= lun <= 255:
        errors.append(fe.invalid(f"{path}.lun", lun, names.in_range(0, 255)))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        errors.append(fe.required(f"{path}.secretRef"))
    if source.get("initiatorName") is not None:
        errors += _initiator(source["initiatorName"], f"{path}.initiatorname")
    return errors


def _initiator(value: str, path: str) -> list[FieldError]:
    for prefix, rule in (("iqn", _IQN), ("eui", _EUI), ("naa", _NAA)):
        if value.startswith(prefix):
            return [] if rule.search(value) else [fe.invalid(path, value, "must be valid format")]
    return [fe.invalid(path, value, "must be valid format starting with iqn, eui, or naa")]


def _flocker(source: Source, path: str) -> list[FieldError]:
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    errors: list[FieldError] = []
    if not name and not uuid:
        errors.append(fe.required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        why = "datasetName and datasetUUID can not be specified simultaneously"
        errors.append(fe.invalid(path, "resource", why))
    if "/" in name:
        errors.append(fe.invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return errors


def _cinder(source: Source, path: str) -> list[FieldError]:
    return require(source, path, "volumeID") + _secret_ref(source, path)


def _quobyte(source: Source, path: str) -> list[FieldError]:
    pairs = "must be a host:port pair or multiple pairs separated by commas"
    registry = source.get("registry") or ""
    errors: list[FieldError] = []
    if not registry:
        errors.append(fe.required(f"{path}.registry", pairs))
    elif len(source.get("tenant") or "") >= 65:
        errors.append(fe.required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters"))
    else:
        for pair in registry.split(","):
            if not re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*):[^:]*", pair):
                errors.append(fe.invalid(f"{path}.registry", registry, pairs))
    return errors + require(source, path, "volume")


def _fc(source: Source, path: str) -> list[FieldError]:
    wwns, wwids = source.get("targetWWNs") or [], source.get("wwids") or []
    errors: list[FieldError] = []
    if not wwns and not wwids:
        errors.append(fe.required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if wwns and wwids:
        why = "targetWWNs and wwids can not be specified simultaneously"
        errors.append(fe.invalid(f"{path}.targetWWNs", wwns, why))
    if wwns:
        lun = source.get("lun")
        if lun is None:
            errors.append(fe.required(f"{path}.lun", "lun is required if targetWWNs is specified"))
        elif not 0 <= lun <= 255:
            errors.append(fe.invalid(f"{path}.lun", lun, names.in_range(0, 255)))
    return errors


def _flex(source: Source, path: str) -> list[FieldError]:
    errors = require(source, path, "driver")
    for key in source.get("options") or ():
        namespace = "." + key.partition("/")[0].lower()
        if namespace.endswith((".kubernetes.io", ".k8s.io")):
            why = "kubernetes.io and k8s.io namespaces are reserved"
            errors.append(fe.invalid(f"{path}.options[{key}]", key, why))
    return errors


def _azure_disk(source: Source, path: str) -> list[FieldError]:
    errors = require(source, path, "diskName", "diskURI")
    caching, kind, uri = source.get("cachingMode"), source.get("kind"), source.get("diskURI") or ""
    if caching is not None and caching not in ("None", "ReadOnly", "ReadWrite"):
        errors.append(fe.unsupported(f"{path}.cachingMode", caching, enums.of("AzureDiskVolumeSource.cachingMode")))
    if kind is not None and kind not in ("Dedicated", "Managed", "Shared"):
        errors.append(fe.unsupported(f"{path}.kind", kind, enums.of("AzureDiskVolumeSource.kind")))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        errors.append(fe.unsupported(f"{path}.diskURI", uri, (_DISK_MANAGED,)))
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        errors.append(fe.unsupported(f"{path}.diskURI", uri, (_DISK_BLOB,)))
    return errors


def _storageos(source: Source, path: str) -> list[FieldError]:
    name = source.get("volumeName") or ""
    if name:
        errors = names.errors(f"{path}.volumeName", name, names.dns1123_label)
    else:
        errors = [fe.required(f"{path}.volumeName")]
    if source.get("volumeNamespace"):
        errors += names.errors(f"{path}.volumeNamespace", source["volumeNamespace"], names.dns1123_label)
    return errors + _secret_ref(source, path)


_RULES: dict[str, Callable[[Source, str], list[FieldError]]] = {
    "gitRepo": _git_repo,
    "gcePersistentDisk": _disk("pdName"),
    "awsElasticBlockStore": _disk("volumeID"),
    "nfs": _nfs,
    "iscsi": _iscsi,
    "flocker": _flocker,
    "cinder": _cinder,
    "quobyte": _quobyte,
    "fc": _fc,
    "flexVolume": _flex,
    "azureDisk": _azure_disk,
    "storageos": _storageos,
}
