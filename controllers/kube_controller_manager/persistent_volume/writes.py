"""The writes of the binder: each puts its answer into the cache at once, and writes nothing that is there already.

A binding is four of them, in this order: the volume's claimRef, its phase, the claim's volumeName, its phase. Killed in between, the
next look at either object goes on from there. All raise ApiError, Conflict where somebody else was quicker.
"""

from __future__ import annotations

from typing import Any

from controllers.runtime import volumes
from controllers.runtime.informer import Informer
from controllers.runtime.volumes import BIND_COMPLETED, BOUND_BY_CONTROLLER, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object
from kctl.client.client import Client


class Writes:
    def __init__(self, client: Client, claims: Informer, persistent_volumes: Informer) -> None:
        self._client = client
        self._claims = claims
        self._volumes = persistent_volumes

    async def claim(self, changed: Object) -> Object:
        written = await self._client.update(PERSISTENT_VOLUME_CLAIMS, changed)
        self._claims.observe((written,))
        return written

    async def volume(self, changed: Object) -> Object:
        written = await self._client.update(PERSISTENT_VOLUMES, changed)
        self._volumes.observe((written,))
        return written

    async def delete_volume(self, volume: Object) -> None:
        await self._client.delete(PERSISTENT_VOLUMES, objects.name(volume), uid=objects.uid(volume))

    async def phase(self, volume: Object, phase: str, message: str = "") -> Object:
        """The volume's; with a message for a Failed one."""
        status = objects.status(volume)
        if status.get("phase") == phase:
            return volume
        wanted = {key: value for key, value in status.items() if key not in ("message", "reason")} | {"phase": phase}
        if message:
            wanted["message"] = message
        written = await self._client.update_status(PERSISTENT_VOLUMES, objects.replace(volume, status=wanted))
        self._volumes.observe((written,))
        return written

    async def claim_phase(self, claim: Object, phase: str, volume: Object | None = None) -> Object:
        """With what the claim has of its volume; without one it has nothing."""
        status = objects.status(claim)
        wanted: dict[str, Any] = {**status, "phase": phase}
        if volume is None:
            for field in ("accessModes", "capacity"):
                wanted.pop(field, None)
        else:
            wanted["accessModes"] = objects.spec(volume).get("accessModes") or []
            wanted["capacity"] = _capacity(status, volume)
        if wanted == status:
            return claim
        written = await self._client.update_status(PERSISTENT_VOLUME_CLAIMS, objects.replace(claim, status=wanted))
        self._claims.observe((written,))
        return written

    async def bind(self, volume: Object, claim: Object) -> None:
        """Idempotent."""
        changed = volumes.bound_to(volume, claim)
        if changed is not volume:
            volume = await self.volume(changed)
        volume = await self.phase(volume, "Bound")
        changed = _claim_of(claim, objects.name(volume))
        if changed is not claim:
            claim = await self.claim(changed)
        await self.claim_phase(claim, "Bound", volume)

    async def unbind(self, volume: Object) -> None:
        """Takes back what the binder did; a reservation somebody made by hand stays."""
        spec, annotations = dict(objects.spec(volume)), dict(objects.annotations(volume))
        if BOUND_BY_CONTROLLER in annotations:
            del spec["claimRef"], annotations[BOUND_BY_CONTROLLER]
        else:
            spec["claimRef"] = {key: value for key, value in spec["claimRef"].items() if key != "uid"}
        changed = objects.with_metadata(objects.replace(volume, spec=spec), annotations=annotations or None)
        await self.phase(await self.volume(changed), "Available")


def _claim_of(claim: Object, volume: str) -> Object:
    """The claim with its volume's name; the very same object where there is nothing to change."""
    named, annotations = objects.spec(claim).get("volumeName") == volume, dict(objects.annotations(claim))
    if named and BIND_COMPLETED in annotations:
        return claim
    if not named:
        annotations[BOUND_BY_CONTROLLER] = "yes"
    annotations[BIND_COMPLETED] = "yes"
    changed = objects.with_metadata(claim, annotations=annotations)
    return objects.replace(changed, spec={**objects.spec(claim), "volumeName": volume})


def _capacity(status: dict[str, Any], volume: Object) -> dict[str, Any]:
    """As the volume's when the claim becomes bound; after that it grows when the kubelet, or whoever resizes, says so."""
    held = status.get("capacity") or {}
    if status.get("phase") == "Bound" and "storage" in held:
        return held
    wanted = objects.spec(volume).get("capacity") or {}
    same = "storage" in held and quantity.parse(held["storage"]) == quantity.parse(volumes.capacity(volume))
    return held if same else dict(wanted)
