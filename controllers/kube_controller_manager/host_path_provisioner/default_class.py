"""The StorageClass a new cluster has: `standard`, the default, as kind and minikube call theirs."""

from __future__ import annotations

from controllers.runtime.manager import ControllerContext
from controllers.runtime.volumes import STORAGE_CLASSES
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import AlreadyExists

PROVISIONER = "kctl.dev/host-path"

STANDARD: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True,
}


async def at_start(context: ControllerContext) -> None:
    """In a cluster without any StorageClass: one that somebody deleted in favour of another does not come back."""
    client = context.client
    if (await client.list(STORAGE_CLASSES, limit=1)).get("items"):
        return
    try:
        await client.create(STORAGE_CLASSES, STANDARD)
    except AlreadyExists:
        return
