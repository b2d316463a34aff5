"""podcertificaterequest-cleaner-controller: PodCertificateRequests are deleted a quarter of an hour after they were made: the kubelet has
its certificate by then, or has asked again."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source, created
from kctl.apimachinery import objects, times
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound

REQUESTS = built_in("certificates.k8s.io/v1", "PodCertificateRequest")
SECONDS = 15 * 60.0


class PodCertificateCleaner(LoopController):
    name = "podcertificaterequest-cleaner-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._requests = context.informers.informer(REQUESTS)

    def wakes(self) -> Sequence[Source]:
        return (For(REQUESTS, when=created),)

    async def reconcile(self, key: str) -> Result | None:
        request = self._requests.get(key)
        if request is None:
            return None
        age = (self.context.clock.now() - times.parse(request["metadata"]["creationTimestamp"])).total_seconds()
        if age < SECONDS:
            return Result(requeue_after=SECONDS - age)
        with contextlib.suppress(NotFound):
            await self.context.client.delete(REQUESTS, objects.name(request), objects.namespace(request), uid=objects.uid(request))
        return None
