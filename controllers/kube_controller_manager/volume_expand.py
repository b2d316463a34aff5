"""persistentvolume-expander-controller: says of a claim that wants to grow who has to see to it. Volume plugins in the tree that could
expand are gone, so that it is always an external resizer."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime import volumes
from controllers.runtime.events import WARNING
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object

_IGNORED = "Ignoring the PVC: didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC."


class VolumeExpandController(LoopController):
    name = "persistentvolume-expander-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._claims = context.informers.informer(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = context.informers.informer(PERSISTENT_VOLUMES)
        self._recorder = context.recorder("volume_expand")

    def wakes(self) -> Sequence[Source]:
        return (For(PERSISTENT_VOLUME_CLAIMS, when=_grew),)

    async def reconcile(self, key: str) -> None:
        claim = self._claims.get(key)
        if claim is None or objects.status(claim).get("phase") != "Bound" or objects.deletion_timestamp(claim):
            return
        if self._volumes.get(str(objects.spec(claim).get("volumeName"))) is not None:
            self._recorder.event(claim, WARNING, "ExternalExpanding", _IGNORED)


def _grew(old: Object | None, new: Object | None) -> bool:
    if old is None or new is None:
        return False
    return quantity.parse(volumes.requested(new)) > quantity.parse(volumes.requested(old))
