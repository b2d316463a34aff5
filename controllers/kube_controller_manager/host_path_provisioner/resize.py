"""Growing a volume of the built-in provisioner, as external-resizer does: the volume first, then what the claim has of it.

The file system of a simulated volume grows with it, so that no kubelet is waited for."""

from __future__ import annotations

from controllers.runtime import volumes
from controllers.runtime.events import NORMAL, EventRecorder
from controllers.runtime.informer import Informer
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.times import rfc3339
from kctl.client.client import Client

_RESIZING = "Resizing"
_IN_PROGRESS = "ControllerResizeInProgress"


def wants_to_grow(claim: Object) -> bool:
    status = objects.status(claim)
    held = (status.get("capacity") or {}).get("storage")
    if status.get("phase") != "Bound" or held is None:
        return False
    return quantity.parse(volumes.requested(claim)) > quantity.parse(held)


class Resizer:
    """Crash-safe: each step is looked for before it is done."""

    def __init__(self, client: Client, clock: Clock, claims: Informer, persistent_volumes: Informer, recorder: EventRecorder) -> None:
        self._client = client
        self._clock = clock
        self._claims = claims
        self._volumes = persistent_volumes
        self._recorder = recorder

    async def resize(self, claim: Object, volume: Object) -> None:
        """Raises ApiError."""
        size = volumes.requested(claim)
        if objects.condition(claim, _RESIZING) is None:
            message = f"External resizer is resizing volume {objects.name(volume)}"
            self._recorder.event(claim, NORMAL, "Resizing", message)
            claim = await self._status(claim, self._begun(claim, size))
        if quantity.parse(volumes.capacity(volume)) < quantity.parse(size):
            spec = {**objects.spec(volume), "capacity": {**(objects.spec(volume).get("capacity") or {}), "storage": size}}
            self._volumes.observe((await self._client.update(PERSISTENT_VOLUMES, objects.replace(volume, spec=spec)),))
        claim = await self._status(claim, _done(claim, size))
        self._recorder.event(claim, NORMAL, "VolumeResizeSuccessful", "Resize volume succeeded")

    def _begun(self, claim: Object, size: str) -> Object:
        now = rfc3339(self._clock.now())
        condition = {"type": _RESIZING, "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
        status = objects.status(claim)
        conditions = objects.with_condition(status.get("conditions") or (), condition)
        allocated = {**(status.get("allocatedResources") or {}), "storage": size}
        return {**status, "conditions": conditions, "allocatedResources": allocated, "allocatedResourceStatuses": {"storage": _IN_PROGRESS}}

    async def _status(self, claim: Object, status: Object) -> Object:
        written = await self._client.update_status(PERSISTENT_VOLUME_CLAIMS, objects.replace(claim, status=status))
        self._claims.observe((written,))
        return written


def _done(claim: Object, size: str) -> Object:
    status = {key: value for key, value in objects.status(claim).items() if key not in ("allocatedResourceStatuses", "conditions")}
    others = objects.without_condition(objects.status(claim).get("conditions") or (), _RESIZING)
    if others:
        status["conditions"] = others
    return {**status, "capacity": {**(status.get("capacity") or {}), "storage": size}}
