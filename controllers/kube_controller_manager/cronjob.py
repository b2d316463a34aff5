"""cronjob-controller: makes a Job at each time of a schedule, as far as its concurrency policy allows, and keeps the last few.

A missed time is made up for once: the most recent one counts, however many were missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from controllers.runtime import pods
from controllers.runtime.adoption import controller_reference
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.indexer import OWNERS
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Owns, OwnStatus, Source
from kctl.apimachinery import cron, objects, times
from kctl.apimachinery.cron import Schedule
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CRON_JOBS, JOBS
from kctl.apimachinery.status import AlreadyExists, ApiError, NotFound
from kctl.apimachinery.times import rfc3339

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"

_MANY_MISSED = 100
_BEHIND_SECONDS = 0.1
"""How long after its time a Job is made, so that clocks need not be exact."""


def finished_as(job: Object) -> str:
    """Complete, Failed, or '' while it has not ended."""
    return next((kind for kind in ("Complete", "Failed") if objects.is_condition_true(job, kind)), "")


def due(cron_job: Object, schedule: Schedule, zone: tzinfo, now: datetime) -> tuple[datetime | None, bool]:
    """The most recent time for which no Job was made, if there is one; and whether there were many."""
    since = times.parse(objects.metadata(cron_job)["creationTimestamp"])
    if objects.status(cron_job).get("lastScheduleTime"):
        since = times.parse(objects.status(cron_job)["lastScheduleTime"])
    deadline = objects.spec(cron_job).get("startingDeadlineSeconds")
    if deadline is not None:
        since = max(since, now - timedelta(seconds=int(deadline)))
    first = schedule.next(since, zone)
    if first is None or first > now:
        return None, False
    return _latest(schedule, zone, first, now)


def _latest(schedule: Schedule, zone: tzinfo, first: datetime, now: datetime) -> tuple[datetime, bool]:
    """Near the end one by one; a long time is not walked through."""
    following = schedule.next(first, zone)
    if following is None or following > now:
        return first, False
    missed = int((now - first) / (following - first))
    latest = first
    if missed > _MANY_MISSED:
        for period in (following - first, timedelta(days=1), timedelta(days=32), timedelta(days=366)):
            close = schedule.next(now - 2 * period, zone)
            if close is not None and close <= now:
                latest = close
                break
    while (following := schedule.next(latest, zone)) is not None and following <= now:
        latest = following
    return latest, missed > _MANY_MISSED


def job_for(cron_job: Object, moment: datetime, zone: tzinfo) -> Object:
    """Named after the minute, so that nobody makes it twice."""
    template = objects.spec(cron_job)["jobTemplate"]
    meta = template.get("metadata") or {}
    annotations = {**(meta.get("annotations") or {}), SCHEDULED: _in_zone(moment, zone)}
    wanted: Object = {
        "name": f"{objects.name(cron_job)}-{int(moment.timestamp()) // 60}",
        "annotations": annotations,
        "ownerReferences": [controller_reference(cron_job)],
    }
    if meta.get("labels"):
        wanted["labels"] = meta["labels"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": wanted, "spec": template.get("spec") or {}}


def _in_zone(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")


def _reference(job: Object) -> dict[str, Any]:
    meta = job["metadata"]
    reference = {"kind": "Job", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"], "apiVersion": "batch/v1"}
    return {**reference, "resourceVersion": meta["resourceVersion"]}


def surplus(jobs: Sequence[Object], limit: int | None) -> list[Object]:
    """The oldest ones beyond the limit."""
    if limit is None or len(jobs) <= limit:
        return []
    ordered = sorted(jobs, key=lambda job: (str(objects.status(job).get("startTime") or "~"), objects.name(job)))
    return ordered[: len(jobs) - limit]


class CronJobController(LoopController):
    name = "cronjob-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._cron_jobs = context.informers.informer(CRON_JOBS)
        self._jobs = context.informers.informer(JOBS)
        self._jobs.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)
        self._recorder = context.recorder(self.name)
        self._own_status = OwnStatus()

    def wakes(self) -> Sequence[Source]:
        return (
            For(CRON_JOBS, when=self._own_status.not_mine),
            Owns(JOBS, by=CRON_JOBS),
        )

    async def reconcile(self, key: str) -> Result | None:
        cron_job = self._cron_jobs.get(key)
        if cron_job is None:
            return None
        children = list(self._jobs.by_index(pods.CONTROLLER_INDEX, objects.uid(cron_job)))
        status = await self._follow(cron_job, children)
        await self._clean_up(cron_job, status, children)
        seconds = None
        if not objects.deletion_timestamp(cron_job) and not objects.spec(cron_job).get("suspend"):
            seconds = await self._run_if_due(cron_job, status)
        if status != objects.status(cron_job):
            try:
                written = await self._client.update_status(CRON_JOBS, self._own_status.in_place(cron_job, status))
            except NotFound:
                return None
            self._cron_jobs.observe([written])
        return Result(requeue_after=seconds) if seconds is not None else None

    # ---- what became of the Jobs

    async def _follow(self, cron_job: Object, children: Sequence[Object]) -> dict[str, Any]:
        """The status with its active Jobs and the last success brought up to date."""
        status = dict(objects.status(cron_job))
        active = list(status.get("active") or ())
        listed = {reference["uid"] for reference in active}
        for job in children:
            ended = finished_as(job)
            if objects.uid(job) in listed and ended:
                active = [reference for reference in active if reference["uid"] != objects.uid(job)]
                self._say(cron_job, NORMAL, "SawCompletedJob", f"Saw completed job: {objects.name(job)}, condition: {ended}")
            elif objects.uid(job) not in listed and not ended:
                text = f"Saw a job that the controller did not create or forgot: {objects.name(job)}"
                self._say(cron_job, WARNING, "UnexpectedJob", text)
            if ended == "Complete":
                completed = objects.status(job).get("completionTime")
                if completed and completed > str(status.get("lastSuccessfulTime") or ""):
                    status["lastSuccessfulTime"] = completed
        active = [reference for reference in active if await self._is_there(cron_job, reference, children)]
        return _with_active(status, active)

    async def _is_there(self, cron_job: Object, reference: Object, children: Sequence[Object]) -> bool:
        if any(objects.uid(job) == reference["uid"] for job in children):
            return True
        try:
            await self._client.get(JOBS, reference["name"], reference["namespace"])
        except NotFound:
            self._say(cron_job, NORMAL, "MissingJob", f"Active job went missing: {reference['name']}")
            return False
        return True

    async def _clean_up(self, cron_job: Object, status: dict[str, Any], children: Sequence[Object]) -> None:
        """Ended Jobs beyond the history limits."""
        spec = objects.spec(cron_job)
        for kind, field in (("Failed", "failedJobsHistoryLimit"), ("Complete", "successfulJobsHistoryLimit")):
            for job in surplus([job for job in children if finished_as(job) == kind], spec.get(field)):
                await self._delete(cron_job, objects.name(job), objects.namespace(job))

    async def _delete(self, cron_job: Object, name: str, namespace: str) -> bool:
        try:
            await self._client.delete(JOBS, name, namespace, propagation_policy="Background")
        except NotFound:
            return True
        except ApiError as error:
            self._say(cron_job, WARNING, "FailedDelete", f"Deleted job: {error.message}")
            return False
        self._say(cron_job, NORMAL, "SuccessfulDelete", f"Deleted job {name}")
        return True

    # ---- the schedule

    async def _run_if_due(self, cron_job: Object, status: dict[str, Any]) -> float | None:
        """Seconds until it may be time again."""
        spec, now = objects.spec(cron_job), self.context.clock.now()
        text = spec["schedule"]
        try:
            schedule = cron.parse(text)
            zone: tzinfo = ZoneInfo(spec["timeZone"]) if spec.get("timeZone") else UTC
        except cron.ScheduleError as error:
            self._say(cron_job, WARNING, "UnparseableSchedule", f"unparseable schedule: {text} : {error}")
            return None
        except (KeyError, ValueError, OSError):
            zone_name = spec["timeZone"]
            self._say(cron_job, WARNING, "UnknownTimeZone", f'invalid timeZone: "{zone_name}": unknown time zone {zone_name}')
            return None
        moment, many = due(cron_job, schedule, zone, now)
        if many:
            words = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._say(cron_job, WARNING, "TooManyMissedTimes", words)
        if moment is not None:
            await self._run(cron_job, status, moment, zone)
        following = schedule.next(now, zone)
        return None if following is None else (following - now).total_seconds() + _BEHIND_SECONDS

    async def _run(self, cron_job: Object, status: dict[str, Any], moment: datetime, zone: tzinfo) -> None:
        spec, active = objects.spec(cron_job), list(status.get("active") or ())
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and moment + timedelta(seconds=int(deadline)) < self.context.clock.now():
            text = moment.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
            self._say(cron_job, WARNING, "MissSchedule", f"Missed scheduled time to start a job: {text}")
            return
        if active and spec.get("concurrencyPolicy") == "Forbid":
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._say(cron_job, NORMAL, "JobAlreadyActive", text)
            return
        if spec.get("concurrencyPolicy") == "Replace":
            for reference in active:
                if not await self._delete(cron_job, reference["name"], reference["namespace"]):
                    return
            active = []
        job = await self._create(cron_job, job_for(cron_job, moment, zone))
        if job is not None:
            active.append(_reference(job))
        _with_active(status, active)
        if job is not None:
            status["lastScheduleTime"] = rfc3339(moment)

    async def _create(self, cron_job: Object, wanted: Object) -> Object | None:
        space = objects.namespace(cron_job)
        try:
            job = await self._client.create(JOBS, wanted, space)
        except AlreadyExists:
            job = await self._client.get(JOBS, objects.name(wanted), space)
            owner = objects.controller_of(job)
            if owner is None or owner["uid"] != objects.uid(cron_job):
                raise
        except ApiError as error:
            if not namespace_terminating(error):
                self._say(cron_job, WARNING, "FailedCreate", f"Error creating job: {error.message}")
            raise
        else:
            self._say(cron_job, NORMAL, "SuccessfulCreate", f"Created job {objects.name(job)}")
        self._jobs.observe([job])
        return job

    def _say(self, cron_job: Object, type: str, reason: str, message: str) -> None:
        self._recorder.event(cron_job, type, reason, message)


def _with_active(status: dict[str, Any], active: Sequence[Object]) -> dict[str, Any]:
    if active:
        status["active"] = list(active)
    else:
        status.pop("active", None)
    return status
