"""host-path-provisioner-controller: makes a volume for each claim of the StorageClasses that name it, and deletes what is released. Not
one of kube-controller-manager's own: it stands where a cluster has an external provisioner, and works and speaks as those do
(sig-storage-lib-external-provisioner).

A volume of one node (ReadWriteOnce, ReadWriteOncePod) can be used on that node alone; one that many nodes may mount can be used
everywhere. Nothing is written on any disk: pods are simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controllers.kube_controller_manager.host_path_provisioner.default_class import PROVISIONER
from controllers.kube_controller_manager.host_path_provisioner.resize import Resizer, wants_to_grow
from controllers.runtime import volumes
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source, Watches, exists
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, SELECTED_NODE, STORAGE_CLASSES
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES
from kctl.apimachinery.status import AlreadyExists

DIRECTORY = "/var/lib/kctl/volumes"
_HOST_NAME = "kubernetes.io/hostname"
_ONE_NODE = {"ReadWriteOnce", "ReadWriteOncePod"}


class HostPathProvisioner(LoopController):
    """Keys are those of claims (namespace/name) and of volumes (name)."""

    name = "host-path-provisioner-controller"
    workers = 10

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._claims = context.informers.informer(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = context.informers.informer(PERSISTENT_VOLUMES)
        self._classes = context.informers.informer(STORAGE_CLASSES)
        self._nodes = context.informers.informer(NODES)
        self._recorder = context.recorder(f"{PROVISIONER}_host-path-provisioner")
        resizing = context.recorder(f"external-resizer {PROVISIONER}")
        self._resizer = Resizer(context.client, context.clock, self._claims, self._volumes, resizing)

    def wakes(self) -> Sequence[Source]:
        return (
            For(PERSISTENT_VOLUME_CLAIMS, when=lambda old, new: new is not None and (_is_asked_for(new) or wants_to_grow(new))),
            For(PERSISTENT_VOLUMES, when=lambda old, new: new is not None and _is_to_go(new)),
            Watches(STORAGE_CLASSES, to=self._claims_of_class, when=exists),
        )

    def _claims_of_class(self, storage_class: Object) -> list[str]:
        if storage_class.get("provisioner") != PROVISIONER:
            return []
        return [
            objects.key(claim)
            for claim in self._claims.list()
            if _is_asked_for(claim) and volumes.claim_class(claim) == objects.name(storage_class)
        ]

    async def reconcile(self, key: str) -> None:
        if "/" in key:
            claim = self._claims.get(key)
            if claim is not None and _is_asked_for(claim):
                await self._provision(claim)
            elif claim is not None and wants_to_grow(claim):
                await self._resize(claim)
            return
        volume = self._volumes.get(key)
        if volume is not None and _is_to_go(volume):
            await self.context.client.delete(PERSISTENT_VOLUMES, key, uid=objects.uid(volume))

    async def _resize(self, claim: Object) -> None:
        volume = self._volumes.get(str(objects.spec(claim).get("volumeName")))
        if volume is not None and objects.annotations(volume).get(volumes.PROVISIONED_BY) == PROVISIONER:
            await self._resizer.resize(claim, volume)

    # ---- provisioning

    async def _provision(self, claim: Object) -> None:
        storage_class = self._classes.get(volumes.claim_class(claim))
        if storage_class is None or storage_class.get("provisioner") != PROVISIONER:
            return
        chosen = objects.annotations(claim).get(SELECTED_NODE) or ""
        if not chosen and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer":
            return
        name = f"pvc-{objects.uid(claim)}"
        if self._volumes.get(name) is not None:
            return
        self._recorder.event(claim, NORMAL, "Provisioning", f'External provisioner is provisioning volume for claim "{objects.key(claim)}"')
        if chosen and self._nodes.get(chosen) is None:
            await self._give_back(claim, storage_class, f'nodes "{chosen}" not found')
            return
        node = self._node(chosen, claim, storage_class)
        if node is None:
            await self._give_back(claim, storage_class, "no node can hold the volume")
            return
        await self._create(claim, _volume(name, claim, storage_class, node))

    def _node(self, chosen: str, claim: Object, storage_class: Object) -> Object | None:
        """The one the scheduler has chosen; for a claim that does not wait for a pod any that may be used, the same each time."""
        if chosen:
            return self._nodes.get(chosen)
        allowed = [
            node
            for node in self._nodes.list()
            if volumes.topology_matches(storage_class, objects.labels(node)) and not objects.spec(node).get("unschedulable")
        ]
        return min(allowed, key=objects.name, default=None)

    async def _create(self, claim: Object, volume: Object) -> None:
        try:
            self._volumes.observe((await self.context.client.create(PERSISTENT_VOLUMES, volume),))
        except AlreadyExists:
            return
        self._recorder.event(claim, NORMAL, "ProvisioningSucceeded", f"Successfully provisioned volume {objects.name(volume)}")

    async def _give_back(self, claim: Object, storage_class: Object, why: str) -> None:
        """The scheduler chooses again when its choice is taken off the claim."""
        message = f'failed to provision volume with StorageClass "{objects.name(storage_class)}": {why}'
        self._recorder.event(claim, WARNING, "ProvisioningFailed", message)
        annotations = {key: value for key, value in objects.annotations(claim).items() if key != SELECTED_NODE}
        if len(annotations) != len(objects.annotations(claim)):
            changed = objects.with_metadata(claim, annotations=annotations)
            self._claims.observe((await self.context.client.update(PERSISTENT_VOLUME_CLAIMS, changed),))


def _is_asked_for(claim: Object) -> bool:
    """The binder found no volume and left the claim to this provisioner."""
    if objects.spec(claim).get("volumeName") or objects.deletion_timestamp(claim):
        return False
    annotations = objects.annotations(claim)
    asked = annotations.get(volumes.STORAGE_PROVISIONER) or annotations.get(volumes.BETA_STORAGE_PROVISIONER)
    return asked == PROVISIONER


def _is_to_go(volume: Object) -> bool:
    return (
        objects.status(volume).get("phase") == "Released"
        and objects.spec(volume).get("persistentVolumeReclaimPolicy") == "Delete"
        and objects.annotations(volume).get(volumes.PROVISIONED_BY) == PROVISIONER
        and not objects.deletion_timestamp(volume)
    )


def _volume(name: str, claim: Object, storage_class: Object, node: Object) -> Object:
    meta = claim["metadata"]
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta["namespace"], "name": meta["name"]}
    modes = objects.spec(claim).get("accessModes") or []
    spec: dict[str, Any] = {
        "accessModes": modes,
        "capacity": {"storage": volumes.requested(claim)},
        "claimRef": {**reference, "uid": meta["uid"], "resourceVersion": meta["resourceVersion"]},
        "hostPath": {"path": f"{DIRECTORY}/{name}_{meta['namespace']}_{meta['name']}", "type": "DirectoryOrCreate"},
        "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
        "storageClassName": objects.name(storage_class),
        "volumeMode": volumes.mode(claim),
    }
    if storage_class.get("mountOptions"):
        spec["mountOptions"] = storage_class["mountOptions"]
    if set(modes) <= _ONE_NODE:
        host = objects.labels(node).get(_HOST_NAME) or objects.name(node)
        expression = {"key": _HOST_NAME, "operator": "In", "values": [host]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    annotations = {volumes.PROVISIONED_BY: PROVISIONER}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name, "annotations": annotations}, "spec": spec}
