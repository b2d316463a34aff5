"""Counting a Job's finished pods, each exactly once, whatever is interrupted when.

A pod carries a finalizer until it is counted: first its uid is written into status.uncountedTerminatedPods, then the finalizer is
removed, then the uid becomes part of the number. Only when nothing is left uncounted or terminating is the Job finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controllers.kube_controller_manager.job import conditions, intervals, rules
from controllers.kube_controller_manager.job.sync import Sync
from controllers.runtime.events import NORMAL, WARNING, EventRecorder
from controllers.runtime.informer import Informer
from controllers.runtime.sources import OwnStatus
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import JOBS, PODS
from kctl.apimachinery.status import NotFound
from kctl.client.client import Client
from kctl.client.transport import STRATEGIC_MERGE_PATCH

MOST_UNCOUNTED = 500


class Tracker:
    def __init__(self, client: Client, jobs: Informer, pods: Informer, recorder: EventRecorder, own_status: OwnStatus) -> None:
        self._client = client
        self._jobs = jobs
        self._pods = pods
        self._recorder = recorder
        self._own_status = own_status

    async def track(self, sync: Sync) -> bool:
        """Counts, writes the status, ends the Job when its time has come. True where there is more to count."""
        tracked = {pod["metadata"]["uid"] for pod in sync.pods if rules.is_tracked(pod)}
        _count(sync, tracked)
        counted, more = self._gather(sync)
        self._store_indexes(sync)
        _announce(sync)
        if sync.changed:
            await self._write(sync)
        released = await self.release(counted)
        _count(sync, tracked - released)
        if len(released) < len(counted):
            more = True
        finished = not more and self._finish(sync)
        if sync.changed:
            await self._write(sync)
        if finished:
            self._tell(sync)
        return more

    def _gather(self, sync: Sync) -> tuple[list[Object], bool]:
        """Pods that may be let go, their uids noted as uncounted; and whether there were too many for one go."""
        gathered: list[Object] = []
        for pod in sync.pods:
            if not rules.is_tracked(pod):
                continue
            failed = rules.is_failed(pod, sync.job)
            if not _may_go(sync, pod, failed):
                continue
            gathered.append(pod)
            self._note(sync, pod, failed)
            if len(gathered) >= MOST_UNCOUNTED:
                break
        sync.store_uncounted()
        return gathered, len(gathered) >= MOST_UNCOUNTED

    @staticmethod
    def _note(sync: Sync, pod: Object, failed: bool) -> None:
        uid = pod["metadata"]["uid"]
        if rules.phase(pod) == "Succeeded" and uid not in sync.uncounted_failed:
            if not sync.indexed and uid not in sync.uncounted_succeeded:  # an index is counted once by itself
                sync.uncounted_succeeded.append(uid)
            return
        # When the Job is over without success, whatever has not ended counts as failed.
        over = sync.decided is not None and sync.decided["type"] != conditions.SUCCESS_CRITERIA_MET
        new = uid not in sync.uncounted_failed and sync.valid_index(pod)
        if (failed or over) and new and rules.judge(sync.job, pod).counts:
            sync.uncounted_failed.append(uid)

    @staticmethod
    def _store_indexes(sync: Sync) -> None:
        if sync.indexed:
            sync.set("completedIndexes", intervals.text_of(sync.succeeded_indexes) or None)
            sync.set("succeeded", intervals.total(sync.succeeded_indexes) or None)
            sync.set("failedIndexes", None if sync.failed_indexes is None else intervals.text_of(sync.failed_indexes))

    async def _write(self, sync: Sync) -> None:
        written = await self._client.update_status(JOBS, self._own_status.in_place(sync.job, sync.status))
        self._jobs.observe([written])
        sync.job, sync.changed = written, False
        sync.status = dict(objects.status(written))

    async def release(self, counted: Sequence[Object], *, unchanged: bool = False) -> set[str]:
        """Removes the finalizer; the uids of those that do not have it any more. With `unchanged` only where a pod still is as it was
        seen: one that is let go without being counted might have succeeded since. Raises what the first was answered where none went."""
        answers = await asyncio.gather(*(self._release(pod, unchanged) for pod in counted), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures and len(failures) == len(counted):
            raise failures[0]
        return {pod["metadata"]["uid"] for pod, answer in zip(counted, answers, strict=True) if not isinstance(answer, BaseException)}

    async def _release(self, pod: Object, unchanged: bool) -> None:
        name, space, uid = objects.name(pod), objects.namespace(pod), objects.uid(pod)
        meta: Object = {"uid": uid, "$deleteFromPrimitiveList/finalizers": [rules.FINALIZER]}
        patch = {"metadata": {**meta, "resourceVersion": pod["metadata"]["resourceVersion"]} if unchanged else meta}
        try:
            written = await self._client.patch(PODS, name, patch, space, patch_type=STRATEGIC_MERGE_PATCH)
        except NotFound:
            self._pods.observe_deleted(objects.key(pod), uid)
            return
        self._pods.observe([written])

    def _finish(self, sync: Sync) -> bool:
        """Adds the final condition, unless something is still to be counted or to end."""
        decided = sync.decided
        if decided is None or sync.uncounted_succeeded or sync.uncounted_failed or sync.terminating:
            return False
        final = conditions.final(decided, sync.stamp)
        sync.set_condition(final)
        if final["type"] == conditions.COMPLETE:
            sync.set("completionTime", final["lastTransitionTime"])
        return True

    def _tell(self, sync: Sync) -> None:
        job, decided = sync.job, sync.decided
        assert decided is not None
        if conditions.final(decided, sync.stamp)["type"] == conditions.FAILED:
            self._recorder.event(job, WARNING, decided["reason"], decided["message"])
            return
        if sync.completions is not None and int(sync.status.get("succeeded") or 0) > int(sync.completions):
            text = "Too many succeeded pods running after completion count reached"
            self._recorder.event(job, WARNING, "TooManySucceededPods", text)
        self._recorder.event(job, NORMAL, "Completed", "Job completed")


def _count(sync: Sync, tracked: set[str]) -> None:
    """Uids whose finalizer is gone become numbers."""
    for field, uids in (("succeeded", sync.uncounted_succeeded), ("failed", sync.uncounted_failed)):
        left = [uid for uid in uids if uid in tracked]
        if len(left) != len(uids):
            sync.set(field, int(sync.status.get(field) or 0) + len(uids) - len(left))
            uids[:] = left
    sync.store_uncounted()


def _may_go(sync: Sync, pod: Object, failed: bool) -> bool:
    if sync.decided is not None or objects.deletion_timestamp(sync.job) or rules.phase(pod) == "Succeeded":
        return True
    if not failed:
        return False
    kept = sync.delayed.get(rules.index_of(pod))
    return kept is None or kept["metadata"]["uid"] != pod["metadata"]["uid"]


def _announce(sync: Sync) -> None:
    """The interim condition is written before the finalizers go, so that a restart decides the same."""
    decided = sync.decided
    if decided is None or decided["type"] not in (conditions.FAILURE_TARGET, conditions.SUCCESS_CRITERIA_MET):
        return
    if objects.find_condition(sync.status.get("conditions") or (), decided["type"]) is None:
        sync.set_condition(decided)
