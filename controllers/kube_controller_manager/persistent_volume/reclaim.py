"""What becomes of a released volume: kept, made available again, or deleted (the reclaim policies Retain, Recycle, Delete)."""

from __future__ import annotations

import re

from controllers.kube_controller_manager.persistent_volume.writes import Writes
from controllers.runtime.events import NORMAL, WARNING, EventRecorder
from controllers.runtime.volumes import PROVISIONED_BY
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_RECYCLABLE = ("hostPath", "nfs")
_DELETABLE_PATH = re.compile("/tmp/.+")


async def reclaim(volume: Object, writes: Writes, recorder: EventRecorder) -> None:
    """Raises ApiError. A volume that cannot be reclaimed is Failed, and stays."""
    match objects.spec(volume).get("persistentVolumeReclaimPolicy"):
        case "Retain":
            return
        case "Recycle":
            await _recycle(volume, writes, recorder)
        case "Delete":
            await _delete(volume, writes, recorder)


async def _recycle(volume: Object, writes: Writes, recorder: EventRecorder) -> None:
    """Simulated volumes hold no files, so that there is nothing to scrub: no recycler pod runs."""
    if not any(kind in objects.spec(volume) for kind in _RECYCLABLE):
        await _fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!", writes, recorder)
        return
    recorder.event(volume, NORMAL, "VolumeRecycled", "Volume recycled")
    await writes.unbind(volume)


async def _delete(volume: Object, writes: Writes, recorder: EventRecorder) -> None:
    provisioner = objects.annotations(volume).get(PROVISIONED_BY) or ""
    if provisioner and not provisioner.startswith("kubernetes.io/"):
        return  # whoever made it deletes it
    source = objects.spec(volume).get("hostPath")
    if source is None:
        message = f'error getting deleter volume plugin for volume "{objects.name(volume)}": no deletable volume plugin matched'
        await _fail(volume, "VolumeFailedDelete", message, writes, recorder)
    elif not _DELETABLE_PATH.search(str(source.get("path"))):
        message = f"host_path deleter only supports /tmp/.+ but received provided {source.get('path')}"
        await _fail(volume, "VolumeFailedDelete", message, writes, recorder)
    elif not objects.deletion_timestamp(volume):
        await writes.delete_volume(volume)


async def _fail(volume: Object, reason: str, message: str, writes: Writes, recorder: EventRecorder) -> None:
    if objects.status(volume).get("phase") != "Failed":
        recorder.event(await writes.phase(volume, "Failed", message), WARNING, reason, message)
