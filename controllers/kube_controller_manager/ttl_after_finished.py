"""ttl-after-finished-controller: deletes Jobs a while after they have ended (spec.ttlSecondsAfterFinished), their pods with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source, exists
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import JOBS
from kctl.apimachinery.status import Conflict, NotFound


def expires_at(job: Object) -> datetime | None:
    """None while it has not ended, or is to be kept."""
    seconds = objects.spec(job).get("ttlSecondsAfterFinished")
    if seconds is None or objects.deletion_timestamp(job):
        return None
    for condition in objects.status(job).get("conditions") or ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return times.parse(condition["lastTransitionTime"]) + timedelta(seconds=int(seconds))
    return None


class TtlAfterFinishedController(LoopController):
    name = "ttl-after-finished-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._jobs = context.informers.informer(JOBS)

    def wakes(self) -> Sequence[Source]:
        return (For(JOBS, when=exists),)

    async def reconcile(self, key: str) -> Result | None:
        job = self._jobs.get(key)
        if job is None or expires_at(job) is None:
            return None
        try:
            # The time may have been prolonged a moment ago; a Job once deleted does not come back.
            job = await self.context.client.get(JOBS, objects.name(job), objects.namespace(job))
            due = expires_at(job)
            if due is None:
                return None
            left = (due - self.context.clock.now()).total_seconds()
            if left > 0:
                return Result(requeue_after=left)
            await self.context.client.delete(
                JOBS, objects.name(job), objects.namespace(job), uid=objects.uid(job), propagation_policy="Foreground"
            )
        except (NotFound, Conflict):
            return None
        return None
