"""device-taint-eviction-controller: deletes pods whose devices have NoExecute taints that their claims do not tolerate, or no longer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta

from controllers.runtime import pods, resource_claims
from controllers.runtime.device_pools import DeviceId, Inventory
from controllers.runtime.events import NORMAL
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.resource_claims import DEVICE_TAINT_RULES, RESOURCE_CLAIMS, RESOURCE_SLICES
from controllers.runtime.sources import For, Source, Watches
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import NotFound
from kctl.client.transport import STRATEGIC_MERGE_PATCH


class DeviceTaintEvictionController(LoopController):
    name = "device-taint-eviction-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._pods = context.informers.informer(PODS)
        self._pods.add_index(resource_claims.CLAIM_INDEX, resource_claims.claims_of)
        self._claims = context.informers.informer(RESOURCE_CLAIMS)
        self._slices = context.informers.informer(RESOURCE_SLICES)
        self._rules = context.informers.informer(DEVICE_TAINT_RULES)
        self._recorder = context.recorder(self.name)
        self._inventory: Inventory | None = None
        self._waiting: set[str] = set()

    def wakes(self) -> Sequence[Source]:
        return (
            For(PODS, when=lambda old, new: "resourceClaims" in ((new or old or {}).get("spec") or {})),
            Watches(RESOURCE_CLAIMS, to=self._pods_of),
            Watches(RESOURCE_SLICES, to=self._everybody),
            Watches(DEVICE_TAINT_RULES, to=self._everybody),
        )

    def _pods_of(self, claim: Object) -> list[str]:
        return [objects.key(pod) for pod in self._pods.by_index(resource_claims.CLAIM_INDEX, objects.key(claim))]

    def _everybody(self, changed: Object) -> list[str]:
        """Taints may be others now."""
        self._inventory = None
        return [key for claim in self._claims.list() if resource_claims.is_allocated(claim) for key in self._pods_of(claim)]

    async def reconcile(self, key: str) -> Result | None:
        pod = self._pods.get(key)
        if pod is None or objects.deletion_timestamp(pod) or pods.is_terminal(pod):
            self._waiting.discard(key)
            return None
        left = min(self._seconds_left(pod), default=None)
        if left is None:
            if key in self._waiting:
                self._waiting.discard(key)
                self._recorder.event(pod, NORMAL, "DeviceTaintManagerEviction", "Cancelling deletion")
            return None
        if left > 0:
            self._waiting.add(key)
            return Result(requeue_after=left)
        self._waiting.discard(key)
        await self._evict(pod)
        return None

    def _seconds_left(self, pod: Object) -> Iterator[float]:
        """For each taint that is not tolerated for ever."""
        if self._inventory is None:
            self._inventory = Inventory(self._slices.list(), self._rules.list())
        for use in resource_claims.uses_of(pod):
            claim = self._claims.get(f"{objects.namespace(pod)}/{use.claim}") if use.claim else None
            if claim is None or not resource_claims.is_reserved_for(pod, claim):
                continue
            for result in ((objects.status(claim).get("allocation") or {}).get("devices") or {}).get("results") or ():
                device = self._inventory.device(DeviceId.of_result(result))
                for taint in (device.body.get("taints") or ()) if device is not None else ():
                    if taint.get("effect") == "NoExecute" and (left := self._left(result, taint)) is not None:
                        yield left

    def _left(self, result: Object, taint: Object) -> float | None:
        """None for ever."""
        fitting = [each for each in result.get("tolerations") or () if resource_claims.tolerates(each, taint)]
        if not fitting:
            return 0.0
        limits = [float(each["tolerationSeconds"]) for each in fitting if each.get("tolerationSeconds") is not None]
        if not limits:
            return None
        now = self.context.clock.now()
        added = times.parse(taint["timeAdded"]) if taint.get("timeAdded") else now
        return max((added + timedelta(seconds=max(min(limits), 0.0)) - now).total_seconds(), 0.0)

    async def _evict(self, pod: Object) -> None:
        name, space, uid = objects.name(pod), objects.namespace(pod), objects.uid(pod)
        self._recorder.event(pod, NORMAL, "DeviceTaintManagerEviction", "Marking for deletion")
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "lastTransitionTime": times.rfc3339(self.context.clock.now()),
            "reason": "DeletionByDeviceTaintManager",
            "message": "Device Taint manager: deleting due to NoExecute taint",
        }
        patch = {"metadata": {"uid": uid}, "status": {"conditions": [condition]}}
        with contextlib.suppress(NotFound):
            await self.context.client.patch(PODS, name, patch, space, patch_type=STRATEGIC_MERGE_PATCH, subresource="status")
            await self.context.client.delete(PODS, name, space, uid=uid)
