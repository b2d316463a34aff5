"""volumeattributesclass-protection-controller: a class that is being deleted goes when no claim and no volume names it any more."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime import finalizers
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source, Watches, changed_or_deleted, exists
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in

CLASSES = built_in("storage.k8s.io/v1", "VolumeAttributesClass")
FINALIZER = "kubernetes.io/vac-protection"
_INDEX = "volume-attributes-classes"


def classes_of(obj: Object) -> tuple[str, ...]:
    """Index function: those that a claim or a volume names; of a claim what it wants, has, and is being changed to."""
    status = objects.status(obj)
    named = (
        objects.spec(obj).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return tuple(dict.fromkeys(str(name) for name in named if name))


class VolumeAttributesClassProtection(LoopController):
    name = "volumeattributesclass-protection-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._classes = context.informers.informer(CLASSES)
        self._users = [context.informers.informer(kind) for kind in (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES)]
        for informer in self._users:
            informer.add_index(_INDEX, classes_of)

    def wakes(self) -> Sequence[Source]:
        return (
            For(CLASSES, when=exists),
            Watches(PERSISTENT_VOLUME_CLAIMS, to=classes_of, when=changed_or_deleted),
            Watches(PERSISTENT_VOLUMES, to=classes_of, when=changed_or_deleted),
        )

    async def reconcile(self, key: str) -> None:
        found = self._classes.get(key)
        if found is None:
            return
        if finalizers.awaits(found, FINALIZER):
            if not any(informer.by_index(_INDEX, key) for informer in self._users):
                await finalizers.remove(self.context.client, CLASSES, found, FINALIZER)
        elif finalizers.lacks(found, FINALIZER):
            await finalizers.add(self.context.client, CLASSES, found, FINALIZER)
