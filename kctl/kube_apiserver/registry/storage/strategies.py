"""The strategies of storage.k8s.io, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.storage import classes, csi, volume_attachment
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {
    "storageclasses.storage.k8s.io": classes.STORAGE_CLASS,
    "volumeattributesclasses.storage.k8s.io": classes.VOLUME_ATTRIBUTES_CLASS,
    "csidrivers.storage.k8s.io": csi.CSI_DRIVER,
    "csinodes.storage.k8s.io": csi.CSI_NODE,
    "csistoragecapacities.storage.k8s.io": csi.CSI_STORAGE_CAPACITY,
    "volumeattachments.storage.k8s.io": volume_attachment.STRATEGY,
}
