"""simulated-csi-attacher-controller: attaches the volumes of the CSI drivers that this cluster plays. Not one of kube-controller-manager's
own: it stands where a real driver brings its external-attacher. A CSIDriver with the annotation `kctl.dev/simulated: "true"` is played."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime import attachments
from controllers.runtime.attachments import CSI_DRIVERS, VOLUME_ATTACHMENTS
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source, Watches
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object


class SimulatedCsiAttacher(LoopController):
    name = "simulated-csi-attacher-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._attachments = context.informers.informer(VOLUME_ATTACHMENTS)
        self._drivers = context.informers.informer(CSI_DRIVERS)

    def wakes(self) -> Sequence[Source]:
        return (
            For(VOLUME_ATTACHMENTS, when=lambda _, new: new is not None and not attachments.is_attached(new)),
            Watches(CSI_DRIVERS, to=self._attachments_of_driver),
        )

    def _attachments_of_driver(self, driver: Object) -> list[str]:
        return [objects.name(each) for each in self._attachments.list() if objects.spec(each).get("attacher") == objects.name(driver)]

    async def reconcile(self, key: str) -> None:
        attachment = self._attachments.get(key)
        if attachment is None or objects.deletion_timestamp(attachment) or attachments.is_attached(attachment):
            return
        if attachments.is_simulated(self._drivers.get(str(objects.spec(attachment).get("attacher")))):
            attached = objects.replace(attachment, status={"attached": True})
            self._attachments.observe((await self.context.client.update_status(VOLUME_ATTACHMENTS, attached),))
