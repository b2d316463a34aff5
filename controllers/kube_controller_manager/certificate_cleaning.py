"""certificatesigningrequest-cleaner-controller: requests are deleted when nobody needs them any more: an hour after they were decided, a
day after they were made where nobody decides, and when their certificate has expired."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source, exists
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound

SIGNING_REQUESTS = built_in("certificates.k8s.io/v1", "CertificateSigningRequest")
DECIDED, UNDECIDED = timedelta(hours=1), timedelta(hours=24)


def ends_at(request: Object) -> datetime:
    """When the request is to go."""
    meta, status = request["metadata"], objects.status(request)
    made = times.parse(meta["creationTimestamp"])
    decisions = [each for each in status.get("conditions") or () if each["type"] in ("Approved", "Denied", "Failed")]
    if not decisions:
        return made + UNDECIDED
    if status.get("certificate") or any(each["type"] != "Approved" for each in decisions):
        stamps = [each.get("lastUpdateTime") or meta["creationTimestamp"] for each in decisions]
        return min([max(times.parse(stamp) for stamp in stamps) + DECIDED, *_expiry(status)])
    return made + UNDECIDED  # approved, and nobody signs it


def _expiry(status: Object) -> list[datetime]:
    if not status.get("certificate"):
        return []
    from cryptography import x509

    try:
        return [x509.load_pem_x509_certificate(base64.b64decode(status["certificate"])).not_valid_after_utc]
    except ValueError:
        return []


class CleanerController(LoopController):
    name = "certificatesigningrequest-cleaner-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._requests = context.informers.informer(SIGNING_REQUESTS)

    def wakes(self) -> Sequence[Source]:
        return (For(SIGNING_REQUESTS, when=exists),)

    async def reconcile(self, key: str) -> Result | None:
        request = self._requests.get(key)
        if request is None:
            return None
        left = (ends_at(request) - self.context.clock.now()).total_seconds()
        if left > 0:
            return Result(requeue_after=left)
        with contextlib.suppress(NotFound):
            await self.context.client.delete(SIGNING_REQUESTS, key, uid=objects.uid(request))
        return None
