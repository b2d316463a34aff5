"""job-controller: runs pods until enough have succeeded, or too many have failed.

One reconcile looks (sync.py), makes or removes pods, counts those that have ended (tracking.py) and writes the status.
"""

from __future__ import annotations

from collections.abc import Sequence

from controllers.kube_controller_manager.job import backoff, conditions, rules, template
from controllers.kube_controller_manager.job.backoff import Failures
from controllers.kube_controller_manager.job.sync import Sync
from controllers.kube_controller_manager.job.tracking import Tracker
from controllers.runtime import pods
from controllers.runtime.adoption import Claims, claimants
from controllers.runtime.events import NORMAL
from controllers.runtime.indexer import OWNERS
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import Outcome, PodControl, namespace_terminating
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Owns, OwnStatus, Source, owner_keys
from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import JOBS, PODS

_MOST_AT_ONCE = 500
_COUNTING_INDEX = "job-counting"
_ORPHANED = "orphaned pods"
"""A key of its own: those that were left behind while nobody looked."""
_TRACKED_INDEX = "job-tracked"
_OWN = "kubernetes.io/job-controller"


def _selector(job: Object) -> Selector:
    return labels.from_label_selector(objects.spec(job).get("selector"))


def _to_count(pod: Object) -> tuple[str, ...]:
    """Index function: the Job's uid, of pods that are not both finished and counted; a large Job has many that are."""
    for reference in pod["metadata"].get("ownerReferences") or ():
        if reference.get("controller") and reference["kind"] == "Job":
            return (reference["uid"],) if rules.is_tracked(pod) or not pods.is_terminal(pod) else ()
    return ()


def _tracked_of(pod: Object) -> tuple[str, ...]:
    """Index function: the key of the Job a finalizer waits for."""
    return owner_keys(pod, JOBS) if "finalizers" in pod["metadata"] and rules.is_tracked(pod) else ()


def _takes(job: Object, pod: Object) -> bool:
    return not objects.deletion_timestamp(job) and not rules.is_finished(job) and _selector(job).matches(objects.labels(pod))


class JobController(LoopController):
    name = "job-controller"
    pace_seconds = 0.05

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._jobs = context.informers.informer(JOBS)
        self._pods = context.informers.informer(PODS)
        self._pods.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)
        self._pods.add_index(pods.ORPHANS_INDEX, pods.by_namespace_without_controller, OWNERS)
        self._pods.add_index(_COUNTING_INDEX, _to_count)
        self._pods.add_index(_TRACKED_INDEX, _tracked_of)
        self._recorder = context.recorder(self.name)
        self._control = PodControl(context.client, self._pods, self._recorder)
        self._claims = Claims(context.client, JOBS, PODS, finalizer=rules.FINALIZER)
        self._own_status = OwnStatus()
        self._tracker = Tracker(context.client, self._jobs, self._pods, self._recorder, self._own_status)
        self._failures: dict[str, Failures] = {}

    def wakes(self) -> Sequence[Source]:
        return (
            For(JOBS, when=self._own_status.not_mine),
            Owns(PODS, by=JOBS, orphans=claimants(self._jobs, _selector)),
        )

    async def start(self) -> None:
        await super().start()
        self.loop.enqueue(_ORPHANED)

    async def reconcile(self, key: str) -> Result | None:
        if key == _ORPHANED:
            await self._let_orphans_go(list(self._pods.list()))
            return None
        job = self._jobs.get(key)
        if job is None or rules.is_finished(job):
            self._failures.pop(key, None)
            await self._let_go(key, "")
            if job is None:
                await self._let_orphans_go(list(self._pods.by_index(pods.ORPHANS_INDEX, key.partition("/")[0])))
            return None
        if objects.spec(job).get("managedBy", _OWN) != _OWN:
            return None
        await self._let_go(key, objects.uid(job))
        await self._claim(job)
        return await self._sync(key, job)

    async def _let_go(self, key: str, uid: str) -> None:
        """Pods of a Job that is gone or over have nobody to count them."""
        orphans = [pod for pod in self._pods.by_index(_TRACKED_INDEX, key) if pods.by_controller(pod) != (uid,)]
        if orphans:
            await self._tracker.release(orphans)

    async def _let_orphans_go(self, found: Sequence[Object]) -> None:
        """Pods that a Job has left behind (with the policy Orphan), unless another one takes them."""
        left = [pod for pod in found if rules.is_tracked(pod) and not pods.by_controller(pod)]
        orphans = [pod for pod in left if not any(_takes(job, pod) for job in self._jobs.list(objects.namespace(pod)))]
        if orphans:
            await self._tracker.release(orphans)

    async def _claim(self, job: Object) -> None:
        selector = _selector(job)
        orphans = self._pods.by_index(pods.ORPHANS_INDEX, objects.namespace(job))
        if orphans:
            self._pods.observe(await self._claims.adopt(job, selector, [pod for pod in orphans if pods.is_active(pod)]))
        owned = list(self._pods.by_index(_COUNTING_INDEX, objects.uid(job)))
        strangers = [pod for pod in owned if not selector.matches(objects.labels(pod))]
        if strangers:
            self._pods.observe(await self._claims.release(job, strangers))

    async def _sync(self, key: str, job: Object) -> Result | None:
        counting = list(self._pods.by_index(_COUNTING_INDEX, objects.uid(job)))
        sync = Sync(job, counting, self._failures.get(key, Failures()), self.context.clock.now())
        left = sync.decide()
        outcome, wait = Outcome(), None
        if sync.decided is not None:
            outcome = await self._delete_active(sync)
        else:
            if not objects.deletion_timestamp(job):
                outcome, wait = await self._manage(sync)
            if sync.is_complete():
                sync.succeed(conditions.COMPLETIONS)
            elif not objects.deletion_timestamp(job):
                self._note_suspension(sync)
        sync.count_pods()
        more = await self._tracker.track(sync)
        self._failures[key] = sync.failures
        if outcome.error is not None and not namespace_terminating(outcome.error):
            raise outcome.error
        if more:
            self.loop.enqueue(key)
        delays = [seconds for seconds in (left, wait) if seconds is not None]
        return Result(requeue_after=min(delays)) if delays else None

    # ---- pods

    async def _delete_active(self, sync: Sync) -> Outcome:
        """The Job is decided: what runs is deleted, and counted when it has ended."""
        outcome = await self._control.delete(sync.job, sync.active)
        self._removed(sync, sync.active, outcome)
        if outcome.done < len(sync.active):
            sync.decided = None  # not before all are on their way
        return outcome

    @staticmethod
    def _removed(sync: Sync, gone: Sequence[Object], outcome: Outcome) -> None:
        if outcome.error is None:
            sync.active_count -= len(gone)
            sync.terminating += len(gone)
            sync.ready -= sum(pods.is_ready(pod) for pod in gone)

    async def _manage(self, sync: Sync) -> tuple[Outcome, float | None]:
        """Makes the number of active pods what it should be; seconds to wait where failures demand it."""
        if rules.is_suspended(sync.job):
            return await self._delete(sync, sync.active), None
        wanted = sync.wanted()
        ordered = pods.deletion_order(sync.active, sync.active, sync.now) if sync.indexed or wanted < sync.active_count else []
        surplus = rules.surplus(sync.job, ordered, max(sync.active_count - wanted, 0))
        if surplus:
            return await self._delete(sync, surplus[:_MOST_AT_ONCE]), None
        leaving = sync.terminating if rules.only_replaces_failed(sync.job) else 0
        missing = wanted - sync.active_count - leaving
        return await self._create(sync, missing) if missing > 0 else (Outcome(), None)

    async def _delete(self, sync: Sync, doomed: Sequence[Object]) -> Outcome:
        """Of a Job that goes on: these pods are not counted."""
        if not doomed:
            return Outcome()
        uids = await self._tracker.release(doomed, unchanged=True)
        gone = [pod for pod in doomed if pod["metadata"]["uid"] in uids]
        outcome = await self._control.delete(sync.job, gone)
        self._removed(sync, gone, outcome)
        sync.pods = [pod for pod in sync.pods if pod["metadata"]["uid"] not in uids]
        if len(gone) < len(doomed):  # the rest has changed since it was seen: look again
            self.loop.enqueue(objects.key(sync.job))
        return outcome

    async def _create(self, sync: Sync, count: int) -> tuple[Outcome, float | None]:
        if not rules.has_limit_per_index(sync.job):
            wait = sync.failures.seconds_left(sync.now)
            if wait > 0:
                return Outcome(), wait
        if not sync.indexed:
            wanted = [template.plain(sync.job)] * min(count, _MOST_AT_ONCE)
        else:
            indexes, wait = self._indexes(sync, min(count, _MOST_AT_ONCE))
            if not indexes:
                return Outcome(), wait or None
            prepared = template.with_index_variable(sync.spec["template"])
            wanted = [template.for_index(sync.job, prepared, index, sync.delayed.get(index)) for index in indexes]
        outcome = await self._control.create(sync.job, wanted)
        sync.active_count += outcome.done
        if count > len(wanted) and outcome.error is None:
            self.loop.enqueue(objects.key(sync.job))
        return outcome, None

    def _indexes(self, sync: Sync, count: int) -> tuple[list[int], float]:
        """Indexes whose pod may be made now; else how long the next one has to wait."""
        pending = sync.pending_indexes(count)
        waits = {index: backoff.seconds_left_of_index(sync.delayed.get(index), sync.now) for index in pending}
        now = [index for index in pending if waits[index] <= 0]
        return now, 0.0 if now else min(waits.values(), default=0.0)

    # ---- suspension

    def _note_suspension(self, sync: Sync) -> None:
        suspended = rules.is_suspended(sync.job)
        word = "suspended" if suspended else "resumed"
        reason, text = f"Job{word.capitalize()}", f"Job {word}"
        condition = conditions.new(conditions.SUSPENDED, reason, text, sync.stamp, "True" if suspended else "False")
        if sync.set_condition(condition):
            self._recorder.event(sync.job, NORMAL, word.capitalize(), text)
            if not suspended:  # the deadline counts from here
                sync.set("startTime", sync.stamp)
