"""Volumes in a description: one line for the type with its explanation, one for each of its settings."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery.objects import Object
from kctl.cli.describe.values import go_bool, or_unset
from kctl.cli.describe.writer import Writer, write_labels

_SIMPLE: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "hostPath": (
        "HostPath (bare host directory volume)",
        (("Path", "path", ""), ("HostPathType", "type", "")),
    ),
    "emptyDir": (
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        (("Medium", "medium", ""), ("SizeLimit", "sizeLimit", "<unset>")),
    ),
    "secret": (
        "Secret (a volume populated by a Secret)",
        (("SecretName", "secretName", ""), ("Optional", "optional", "bool")),
    ),
    "configMap": (
        "ConfigMap (a volume populated by a ConfigMap)",
        (("Name", "name", ""), ("Optional", "optional", "bool")),
    ),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        (("ClaimName", "claimName", ""), ("ReadOnly", "readOnly", "bool")),
    ),
    "nfs": (
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        (("Server", "server", ""), ("Path", "path", ""), ("ReadOnly", "readOnly", "bool")),
    ),
    "image": (
        "Image (a container image or OCI artifact)",
        (("Reference", "reference", ""), ("PullPolicy", "pullPolicy", "")),
    ),
}


def describe_persistent_source(out: Writer, spec: Object) -> None:
    """The `Source:` of a PersistentVolume, whose CSI volumes have a handle of their own."""
    if "local" in spec:
        out.line(2, "Type:\tLocalVolume (a persistent volume backed by local storage on a node)")
        out.line(2, f"Path:\t{spec['local'].get('path', '')}")
    elif "csi" in spec:
        source = spec["csi"]
        out.line(2, "Type:\tCSI (a Container Storage Interface (CSI) volume source)")
        out.line(2, f"Driver:\t{source.get('driver', '')}")
        out.line(2, f"FSType:\t{source.get('fsType', '')}")
        out.line(2, f"VolumeHandle:\t{source.get('volumeHandle', '')}")
        out.line(2, f"ReadOnly:\t{go_bool(source.get('readOnly'))}")
        write_labels(out, "VolumeAttributes", source.get("volumeAttributes"), indent="    ", inner="\t    ")
    else:
        _source(out, spec)


def describe_volumes(out: Writer, volumes: Sequence[Object], space: str = "") -> None:
    if not volumes:
        out.line(0, f"{space}Volumes:\t<none>")
        return
    out.line(0, f"{space}Volumes:")
    for volume in volumes:
        out.line(1, f"{' ' if space else ''}{volume['name']}:")
        _source(out, volume)


def _source(out: Writer, volume: Object) -> None:
    for kind, (title, fields) in _SIMPLE.items():
        if kind in volume:
            source = volume[kind] or {}
            out.line(2, f"Type:\t{title}")
            for label, field, form in fields:
                value = source.get(field)
                if form == "bool":
                    out.line(2, f"{label}:\t{go_bool(value)}")
                else:
                    out.line(2, f"{label}:\t{or_unset(value) if form else ('' if value is None else value)}")
            return
    if "projected" in volume:
        _projected(out, volume["projected"])
    elif "downwardAPI" in volume:
        _downward(out, volume["downwardAPI"])
    elif "csi" in volume:
        _csi(out, volume["csi"])
    elif "ephemeral" in volume:
        _ephemeral(out, volume["ephemeral"])
    else:
        out.line(2, "<unknown>")


def _projected(out: Writer, projected: Object) -> None:
    out.line(2, "Type:\tProjected (a volume that contains injected data from multiple sources)")
    for source in projected.get("sources") or ():
        if source.get("secret"):
            out.line(2, f"SecretName:\t{source['secret'].get('name', '')}")
            out.line(2, f"Optional:\t{go_bool(source['secret'].get('optional'))}")
        elif source.get("downwardAPI"):
            out.line(2, "DownwardAPI:\ttrue")
        elif source.get("configMap"):
            out.line(2, f"ConfigMapName:\t{source['configMap'].get('name', '')}")
            out.line(2, f"Optional:\t{go_bool(source['configMap'].get('optional'))}")
        elif source.get("serviceAccountToken"):
            out.line(2, f"TokenExpirationSeconds:\t{source['serviceAccountToken'].get('expirationSeconds', '')}")


def _downward(out: Writer, source: Object) -> None:
    out.line(2, "Type:\tDownwardAPI (a volume populated by information about the pod)")
    out.line(2, "Items:")
    for item in source.get("items") or ():
        if item.get("fieldRef"):
            out.line(3, f"{item['fieldRef']['fieldPath']} -> {item['path']}")
        if item.get("resourceFieldRef"):
            out.line(3, f"{item['resourceFieldRef']['resource']} -> {item['path']}")


def _csi(out: Writer, source: Object) -> None:
    out.line(2, "Type:\tCSI (a Container Storage Interface (CSI) volume source)")
    out.line(2, f"Driver:\t{source.get('driver', '')}")
    out.line(2, f"FSType:\t{source.get('fsType', '')}")
    out.line(2, f"ReadOnly:\t{go_bool(source.get('readOnly'))}")
    attributes = source.get("volumeAttributes") or {}
    out.raw("    VolumeAttributes:")
    if not attributes:
        out.raw("\t<none>\n")
    for key in sorted(attributes):
        out.raw(f"\t{key}={attributes[key]}\n")


def _ephemeral(out: Writer, source: Object) -> None:
    out.line(2, "Type:\tEphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)")
    spec = (source.get("volumeClaimTemplate") or {}).get("spec") or {}
    out.line(2, f"StorageClass:\t{spec.get('storageClassName') or ''}")
    out.line(2, f"Volume:\t{spec.get('volumeName') or ''}")
    capacity = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "")
    out.line(2, f"Capacity:\t{capacity}")
    out.line(2, f"Access Modes:\t{','.join(spec.get('accessModes') or ())}")
