"""The strategies of storage.k8s.io, by group resource: in which module each is."""

from __future__ import annotations

STRATEGIES: dict[str, str] = {
    "storageclasses.storage.k8s.io": "classes:STORAGE_CLASS",
    "volumeattributesclasses.storage.k8s.io": "classes:VOLUME_ATTRIBUTES_CLASS",
    "csidrivers.storage.k8s.io": "csi:CSI_DRIVER",
    "csinodes.storage.k8s.io": "csi:CSI_NODE",
    "csistoragecapacities.storage.k8s.io": "csi:CSI_STORAGE_CAPACITY",
    "volumeattachments.storage.k8s.io": "volume_attachment:STRATEGY",
}
