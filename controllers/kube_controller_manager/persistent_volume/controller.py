"""persistentvolume-binder-controller: gives each claim a volume, and each volume that lost its claim what its reclaim policy says.

A claim is bound to the volume it names, to one that is reserved for it, else to the smallest that suits it. Where there is none, a
provisioner outside makes one for claims with a class (host_path_provisioner.py is one). Keys are those of claims (namespace/name)
and of volumes (name), told apart by the slash.
"""

from __future__ import annotations

from collections.abc import Sequence

from controllers.kube_controller_manager.persistent_volume.reclaim import reclaim
from controllers.kube_controller_manager.persistent_volume.writes import Writes
from controllers.runtime import volumes
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.indexer import SPEC
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import Follows, For, Source, Watches, changed_or_deleted, exists
from controllers.runtime.volumes import (
    BETA_STORAGE_PROVISIONER,
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PROVISIONED_BY,
    SELECTED_NODE,
    STORAGE_CLASSES,
    STORAGE_PROVISIONER,
)
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import NotFound

RESYNC_SECONDS = 15.0
"""How often a claim that nothing could be done for is looked at again, and its event said again."""

_LOST_REFERENCE = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
_LOST_VOLUME = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
_MISBOUND = "Two claims are bound to the same volume, this one is bound incorrectly"


class PersistentVolumeBinder(LoopController):
    name = "persistentvolume-binder-controller"
    workers = 10

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._claims = context.informers.informer(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = context.informers.informer(PERSISTENT_VOLUMES)
        self._volumes.add_index(volumes.VOLUME_INDEX, volumes.index_by_claim)
        self._classes = context.informers.informer(STORAGE_CLASSES)
        self._pods = context.informers.informer(PODS)
        self._pods.add_index(volumes.CLAIM_INDEX, volumes.claims_of, SPEC)
        self._recorder = context.recorder("persistentvolume-controller")
        self._writes = Writes(context.client, self._claims, self._volumes)
        self._pending: dict[str, None] = {}
        """Claims that wait for a volume or a class."""
        self._in_hand: set[str] = set()
        """Volumes that are being bound just now: their own reconcile would only get in the way."""

    def wakes(self) -> Sequence[Source]:
        return (
            For(PERSISTENT_VOLUME_CLAIMS),
            Watches(PERSISTENT_VOLUME_CLAIMS, to=self._volumes_of, when=changed_or_deleted),
            For(PERSISTENT_VOLUMES, when=exists),
            Watches(PERSISTENT_VOLUMES, to=_claim_of),
            Follows(PERSISTENT_VOLUMES, self._became_available),
            Watches(STORAGE_CLASSES, to=lambda _: tuple(self._pending), when=exists),
        )

    def _volumes_of(self, claim: Object) -> list[str]:
        named = objects.spec(claim).get("volumeName")
        bound = self._volumes.by_index(volumes.VOLUME_INDEX, objects.key(claim))
        return [*([named] if named else ()), *(objects.name(volume) for volume in bound)]

    def _became_available(self, changes: Sequence[Change]) -> list[str]:
        """Claims that waited for a volume of its class."""
        if not self._pending:
            return []
        classes = {volumes.volume_class(new) for old, new in changes if new is not None and _is_free(new)}
        waiting = ((key, self._claims.get(key)) for key in self._pending) if classes else ()
        return [key for key, claim in waiting if claim is not None and volumes.claim_class(claim) in classes]

    async def reconcile(self, key: str) -> Result | None:
        if "/" not in key:
            volume = self._volumes.get(key)
            if volume is not None and key not in self._in_hand:
                await self._sync_volume(volume)
            return None
        claim = self._claims.get(key)
        if claim is None:
            self._pending.pop(key, None)
            return None
        if BIND_COMPLETED in objects.annotations(claim):
            self._pending.pop(key, None)
            await self._sync_bound(claim)
            return None
        return await self._sync_unbound(claim)

    # ---- claims

    async def _sync_bound(self, claim: Object) -> None:
        name = objects.spec(claim).get("volumeName")
        volume = self._volumes.get(name) if name else None
        if not name:
            await self._lose(claim, "ClaimLost", _LOST_REFERENCE)
        elif volume is None:
            await self._lose_if_gone(claim, name)
        elif volumes.claim_key_of(volume) and objects.spec(volume)["claimRef"].get("uid") != objects.uid(claim):
            await self._lose(claim, "ClaimMisbound", _MISBOUND)
        else:
            await self._bind(volume, claim)

    async def _lose_if_gone(self, claim: Object, name: str) -> None:
        """Nothing is called lost because a watch is late."""
        try:
            self._volumes.observe((await self.context.client.get(PERSISTENT_VOLUMES, name),))
        except NotFound:
            await self._lose(claim, "ClaimLost", _LOST_VOLUME)

    async def _lose(self, claim: Object, reason: str, message: str) -> None:
        if objects.status(claim).get("phase") != "Lost":
            self._recorder.event(await self._writes.claim_phase(claim, "Lost"), WARNING, reason, message)

    async def _bind(self, volume: Object, claim: Object) -> None:
        name = objects.name(volume)
        if name in self._in_hand:  # by another claim, which will have it
            return
        self._in_hand.add(name)
        try:
            await self._writes.bind(volume, claim)
        finally:
            self._in_hand.discard(name)

    async def _sync_unbound(self, claim: Object) -> Result | None:
        key, named = objects.key(claim), objects.spec(claim).get("volumeName")
        if objects.deletion_timestamp(claim):
            self._pending.pop(key, None)
            return None
        volume = self._volumes.get(named) if named else self._match(claim)
        if volume is not None and await self._bind_if_suitable(volume, claim, by_name=bool(named)):
            self._pending.pop(key, None)
            return None
        self._pending[key] = None
        if not named and await self._look_for_volume(claim):
            return None
        present = self._claims.get(key)
        if present is not None and objects.uid(present) == objects.uid(claim):
            await self._writes.claim_phase(present, "Pending")
        return Result(requeue_after=RESYNC_SECONDS)

    def _match(self, claim: Object) -> Object | None:
        delayed = volumes.is_delayed(claim, self._classes.get)
        offered = volumes.candidates(claim, self._volumes.by_index)
        return volumes.best_match(claim, offered, delayed=delayed, excluded=self._in_hand)

    async def _bind_if_suitable(self, volume: Object, claim: Object, *, by_name: bool) -> bool:
        if by_name and not volumes.is_bound_to(volume, claim):
            name = objects.name(volume)
            if volumes.claim_key_of(volume):
                if BOUND_BY_CONTROLLER not in objects.annotations(claim):
                    message = f'volume "{name}" already bound to a different claim.'
                    self._recorder.event(claim, WARNING, "FailedBinding", message)
                return False
            why = volumes.unsuitable(volume, claim)
            if why:
                self._recorder.event(claim, WARNING, "VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}')
                return False
        await self._bind(volume, claim)
        return True

    async def _look_for_volume(self, claim: Object) -> bool:
        """There is none to bind: says what is waited for. True where the claim was given a class, and comes round again."""
        if not volumes.names_class(claim):
            default = volumes.default_class(self._classes.list())
            if default is not None:
                await self._writes.claim(objects.replace(claim, spec={**objects.spec(claim), "storageClassName": objects.name(default)}))
                return True
        if volumes.is_delayed(claim, self._classes.get) and SELECTED_NODE not in objects.annotations(claim):
            self._recorder.event(claim, NORMAL, *self._waiting_for_pods(claim))
        elif volumes.claim_class(claim):
            await self._ask_provisioner(claim)
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            self._recorder.event(claim, NORMAL, "FailedBinding", message)
        return False

    def _waiting_for_pods(self, claim: Object) -> tuple[str, str]:
        users = self._pods.by_index(volumes.CLAIM_INDEX, objects.key(claim))
        names = sorted(objects.name(pod) for pod in users if not objects.spec(pod).get("nodeName"))
        if not names:
            return "WaitForFirstConsumer", "waiting for first consumer to be created before binding"
        return "WaitForPodScheduled", f"waiting for {'pod' if len(names) == 1 else 'pods'} {','.join(names)} to be scheduled"

    async def _ask_provisioner(self, claim: Object) -> None:
        """Those in the tree are gone, so whoever provisions the class is somebody else: he waits for his name on the claim."""
        name = volumes.claim_class(claim)
        storage_class = self._classes.get(name)
        if storage_class is None:
            self._recorder.event(claim, WARNING, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
            return
        provisioner = str(storage_class.get("provisioner") or "")
        if provisioner.startswith("kubernetes.io/"):
            self._recorder.event(claim, WARNING, "ProvisioningFailed", f"no volume plugin matched name: {provisioner}")
            return
        annotations = objects.annotations(claim)
        wanted = {**annotations, BETA_STORAGE_PROVISIONER: provisioner, STORAGE_PROVISIONER: provisioner}
        if wanted != annotations:
            claim = await self._writes.claim(objects.with_metadata(claim, annotations=wanted))
        message = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system "
            "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        )
        self._recorder.event(claim, NORMAL, "ExternalProvisioning", message)

    # ---- volumes

    async def _sync_volume(self, volume: Object) -> None:
        reference = objects.spec(volume).get("claimRef")
        if not reference or not reference.get("uid"):
            await self._writes.phase(volume, "Available")
            return
        claim = await self._claim(volume, str(reference["uid"]))
        if claim is None:
            await self._release(volume)
            return
        named = objects.spec(claim).get("volumeName")
        if not named:
            self._wake_or_refuse(volume, claim)
        elif named == objects.name(volume):
            await self._writes.phase(volume, "Bound")
        elif PROVISIONED_BY in objects.annotations(volume) and objects.spec(volume).get("persistentVolumeReclaimPolicy") == "Delete":
            await self._release(volume)  # made for the claim, which has another one now
        else:
            await self._writes.unbind(volume)

    async def _claim(self, volume: Object, uid: str) -> Object | None:
        """The claim a volume is bound to. That it is gone is believed only of the server: data hangs on it."""
        key = volumes.claim_key_of(volume)
        present = self._claims.get(key)
        if present is not None and objects.uid(present) == uid:
            return present
        space, name = objects.split_key(key)
        try:
            present = await self.context.client.get(PERSISTENT_VOLUME_CLAIMS, name, space)
        except NotFound:
            return None
        return present if objects.uid(present) == uid else None

    def _wake_or_refuse(self, volume: Object, claim: Object) -> None:
        if volumes.mode(volume) == volumes.mode(claim):
            self.loop.enqueue(objects.key(claim))
            return
        first = f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{objects.name(claim)}" due to incompatible volumeMode.'
        self._recorder.event(volume, WARNING, "VolumeMismatch", first)
        second = f'Cannot bind PersistentVolume "{objects.name(volume)}" to requested PersistentVolumeClaim due to incompatible volumeMode.'
        self._recorder.event(claim, WARNING, "VolumeMismatch", second)

    async def _release(self, volume: Object) -> None:
        if objects.status(volume).get("phase") not in ("Released", "Failed"):
            volume = await self._writes.phase(volume, "Released")
        await reclaim(volume, self._writes, self._recorder)


def _claim_of(volume: Object) -> tuple[str, ...]:
    key = volumes.claim_key_of(volume)
    return (key,) if key else ()


def _is_free(volume: Object) -> bool:
    return not volumes.claim_key_of(volume) and objects.status(volume).get("phase") == "Available"
