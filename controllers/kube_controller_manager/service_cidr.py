"""service-cidr-controller: keeps ServiceCIDRs while addresses of theirs are in use, and says whether they are ready."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from controllers.runtime import finalizers
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source, Watches, created_or_deleted
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in

SERVICE_CIDRS = built_in("networking.k8s.io/v1", "ServiceCIDR")
IP_ADDRESSES = built_in("networking.k8s.io/v1", "IPAddress")
FINALIZER = "networking.k8s.io/service-cidr-finalizer"
GRACE_SECONDS = 10.0
"""After the deletion: who allocates addresses has heard of it by then."""
_IN_USE = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"


def contains(cidr: Object, address: Object) -> bool:
    try:
        wanted = ipaddress.ip_address(objects.name(address))
        return any(wanted in ipaddress.ip_network(each) for each in objects.spec(cidr).get("cidrs") or ())
    except ValueError:
        return False


class ServiceCidrController(LoopController):
    name = "service-cidr-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._cidrs = context.informers.informer(SERVICE_CIDRS)
        self._addresses = context.informers.informer(IP_ADDRESSES)

    def wakes(self) -> Sequence[Source]:
        return (
            For(SERVICE_CIDRS),
            Watches(SERVICE_CIDRS, to=self._overlapping, when=created_or_deleted),
            Watches(IP_ADDRESSES, to=self._of_address, when=created_or_deleted),
        )

    def _overlapping(self, changed: Object) -> list[str]:
        """Those that are being deleted: another range may hold their addresses now, or not any more."""
        return [objects.name(cidr) for cidr in self._cidrs.list() if objects.deletion_timestamp(cidr)]

    def _of_address(self, address: Object) -> list[str]:
        return [objects.name(cidr) for cidr in self._cidrs.list() if objects.deletion_timestamp(cidr) and contains(cidr, address)]

    async def reconcile(self, key: str) -> Result | None:
        cidr = self._cidrs.get(key)
        if cidr is None:
            return None
        if finalizers.lacks(cidr, FINALIZER):
            cidr = await finalizers.add(self.context.client, SERVICE_CIDRS, cidr, FINALIZER)
            if cidr is None:
                return None
        if not objects.deletion_timestamp(cidr):
            await self._set_ready(cidr, "True", "", "Kubernetes Service CIDR is ready")
            return None
        if not finalizers.awaits(cidr, FINALIZER):
            return None
        if self._is_needed(cidr):
            await self._set_ready(cidr, "False", "Terminating", _IN_USE)
            return None
        since = times.parse(str(objects.deletion_timestamp(cidr)))
        left = GRACE_SECONDS - (self.context.clock.now() - since).total_seconds()
        if left > 0:
            return Result(requeue_after=left)
        await finalizers.remove(self.context.client, SERVICE_CIDRS, cidr, FINALIZER)
        return None

    def _is_needed(self, cidr: Object) -> bool:
        """An address of its would be in no range without it."""
        others = [each for each in self._cidrs.list() if each is not cidr and not objects.deletion_timestamp(each)]
        addresses = [address for address in self._addresses.list() if contains(cidr, address)]
        return any(not any(contains(other, address) for other in others) for address in addresses)

    async def _set_ready(self, cidr: Object, status: str, reason: str, message: str) -> None:
        present = objects.condition(cidr, "Ready")
        if present is not None and (present.get("status"), present.get("reason") or "") == (status, reason):
            return
        now = times.rfc3339(self.context.clock.now())
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": now}
        others = [each for each in objects.status(cidr).get("conditions") or () if each["type"] != "Ready"]
        written = await self.context.client.update_status(SERVICE_CIDRS, objects.with_status(cidr, conditions=[*others, ready]))
        self._cidrs.observe([written])
