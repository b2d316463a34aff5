"""persistentvolume-protection-controller: a volume that is being deleted goes when no claim is bound to it any more."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime import finalizers
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source, exists
from controllers.runtime.volumes import PERSISTENT_VOLUMES
from kctl.apimachinery import objects

FINALIZER = "kubernetes.io/pv-protection"


class PvProtectionController(LoopController):
    name = "persistentvolume-protection-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._volumes = context.informers.informer(PERSISTENT_VOLUMES)

    def wakes(self) -> Sequence[Source]:
        return (For(PERSISTENT_VOLUMES, when=exists),)

    async def reconcile(self, key: str) -> None:
        volume = self._volumes.get(key)
        if volume is None:
            return
        if finalizers.awaits(volume, FINALIZER):
            if objects.status(volume).get("phase") != "Bound":
                await finalizers.remove(self.context.client, PERSISTENT_VOLUMES, volume, FINALIZER)
        elif finalizers.lacks(volume, FINALIZER):
            await finalizers.add(self.context.client, PERSISTENT_VOLUMES, volume, FINALIZER)
