"""Table columns of storage.k8s.io and resource.k8s.io."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, described
from kctl.kube_apiserver.columns.core import created

_DEFAULT_MARKS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _storage_class(obj: Object, now: datetime) -> list[Any]:
    annotations = objects.annotations(obj)
    mark = " (default)" if any(annotations.get(name) == "true" for name in _DEFAULT_MARKS) else ""
    return [
        objects.name(obj) + mark,
        obj.get("provisioner") or "",
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")),
        created(obj, now),
    ]


def _attributes_class(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), obj.get("driverName") or "", created(obj, now)]


def _attachment(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    volume = (spec.get("source") or {}).get("persistentVolumeName") or ""
    return [
        objects.name(obj),
        spec.get("attacher") or "",
        volume,
        spec.get("nodeName") or "",
        bool(objects.status(obj).get("attached")),
        created(obj, now),
    ]


def _csi_node(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), len(objects.spec(obj).get("drivers") or ()), created(obj, now)]


def _csi_driver(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    tokens = [request.get("audience") or "" for request in spec.get("tokenRequests") or ()]
    return [
        objects.name(obj),
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(tokens) if tokens else "<unset>",
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()),
        created(obj, now),
    ]


def _plain(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), created(obj, now)]


def _claim(obj: Object, now: datetime) -> list[Any]:
    deleted, status = bool(objects.deletion_timestamp(obj)), objects.status(obj)
    states = ["deleted"] if deleted else []
    if status.get("allocation") is not None:
        states += ["allocated", *(["reserved"] if status.get("reservedFor") else [])]
    elif not deleted:
        states.append("pending")
    return [objects.name(obj), ",".join(states), created(obj, now)]


def _slice(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    pool = (spec.get("pool") or {}).get("name") or ""
    return [objects.name(obj), spec.get("nodeName") or "", spec.get("driver") or "", pool, created(obj, now)]


COLUMNS: dict[str, Columns] = {
    "storageclasses.storage.k8s.io": Columns(
        (
            NAME,
            described("Provisioner", "StorageClass.provisioner"),
            described("ReclaimPolicy", "StorageClass.reclaimPolicy"),
            described("VolumeBindingMode", "StorageClass.volumeBindingMode"),
            described("AllowVolumeExpansion", "StorageClass.allowVolumeExpansion"),
            AGE,
        ),
        _storage_class,
    ),
    "volumeattributesclasses.storage.k8s.io": Columns(
        (NAME, described("DriverName", "VolumeAttributesClass.driverName"), AGE), _attributes_class
    ),
    "volumeattachments.storage.k8s.io": Columns(
        (
            NAME,
            described("Attacher", "VolumeAttachmentSpec.attacher", format="name"),
            described("PV", "VolumeAttachmentSource.persistentVolumeName"),
            described("Node", "VolumeAttachmentSpec.nodeName"),
            described("Attached", "VolumeAttachmentStatus.attached", "boolean"),
            AGE,
        ),
        _attachment,
    ),
    "csinodes.storage.k8s.io": Columns(
        (NAME, Column("Drivers", "Drivers indicates the number of CSI drivers registered on the node", "integer"), AGE),
        _csi_node,
    ),
    "csidrivers.storage.k8s.io": Columns(
        (
            NAME,
            described("AttachRequired", "CSIDriverSpec.attachRequired", "boolean"),
            described("PodInfoOnMount", "CSIDriverSpec.podInfoOnMount", "boolean"),
            described("StorageCapacity", "CSIDriverSpec.storageCapacity", "boolean"),
            described("TokenRequests", "CSIDriverSpec.tokenRequests"),
            described("RequiresRepublish", "CSIDriverSpec.requiresRepublish", "boolean"),
            described("Modes", "CSIDriverSpec.volumeLifecycleModes"),
            AGE,
        ),
        _csi_driver,
    ),
    "deviceclasses.resource.k8s.io": Columns((NAME, AGE), _plain),
    "resourceclaims.resource.k8s.io": Columns(
        (NAME, Column("State", "A summary of the current state (allocated, pending, reserved, etc.)."), AGE), _claim
    ),
    "resourceclaimtemplates.resource.k8s.io": Columns((NAME, AGE), _plain),
    "resourceslices.resource.k8s.io": Columns(
        (
            NAME,
            described("Node", "ResourceSliceSpec.nodeName"),
            described("Driver", "ResourceSliceSpec.driver"),
            described("Pool", "ResourcePool.name"),
            AGE,
        ),
        _slice,
    ),
}
