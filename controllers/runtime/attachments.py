"""Which volumes must be attached to a node before pods there can use them, and the VolumeAttachments that say so. Pure."""

from __future__ import annotations

import hashlib
from typing import Final

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in

VOLUME_ATTACHMENTS: Final = built_in("storage.k8s.io/v1", "VolumeAttachment")
CSI_DRIVERS: Final = built_in("storage.k8s.io/v1", "CSIDriver")
SIMULATED = "kctl.dev/simulated"


def driver_of(volume: Object) -> str:
    """The CSI driver of a volume; '' for all others, which are never attached."""
    return str((objects.spec(volume).get("csi") or {}).get("driver") or "")


def needs_attaching(volume: Object, driver: Object | None) -> bool:
    """`driver`: the CSIDriver object, where there is one; without it attaching is taken to be needed."""
    if not driver_of(volume):
        return False
    return driver is None or objects.spec(driver).get("attachRequired") is not False


def is_simulated(driver: Object | None) -> bool:
    """Whether this cluster plays the driver's attacher."""
    return driver is not None and objects.annotations(driver).get(SIMULATED) == "true"


def attachment_name(volume: Object, node: str) -> str:
    source = objects.spec(volume)["csi"]
    digest = hashlib.sha256(f"{source.get('volumeHandle')}{source.get('driver')}{node}".encode())
    return f"csi-{digest.hexdigest()}"


def unique_name(volume: Object) -> str:
    """As node.status.volumesAttached has it."""
    source = objects.spec(volume)["csi"]
    return f"kubernetes.io/csi/{source.get('driver')}^{source.get('volumeHandle')}"


def is_attached(attachment: Object | None) -> bool:
    return attachment is not None and bool(objects.status(attachment).get("attached")) and not objects.deletion_timestamp(attachment)
