"""One look at a Job and its pods: what counts, what is decided. Everything a reconcile thinks; controller.py and tracking.py act.

`status` is this look's own copy and may be changed; everything else is values.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from controllers.kube_controller_manager.job import backoff, conditions, intervals, rules
from controllers.kube_controller_manager.job.backoff import Failures
from controllers.kube_controller_manager.job.intervals import Intervals
from controllers.runtime import pods
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Condition, Object
from kctl.apimachinery.times import rfc3339


class Sync:
    """`pods`: those that are not both finished and counted."""

    def __init__(self, job: Object, members: Sequence[Object], failures: Failures, now: datetime) -> None:
        self.job = job
        self.spec = objects.spec(job)
        self.status: dict[str, Any] = dict(objects.status(job))
        self.now, self.stamp = now, rfc3339(now)
        self.indexed = rules.is_indexed(job)
        self.completions: int | None = self.spec.get("completions")
        self.pods = sorted(members, key=rules.index_of) if self.indexed else list(members)
        self.active = [pod for pod in self.pods if pods.is_active(pod)]
        self.active_count = len(self.active)
        self.ready = sum(pods.is_ready(pod) for pod in self.active)
        self.terminating = sum(pods.is_terminating(pod) for pod in self.pods)
        uncounted = self.status.get("uncountedTerminatedPods") or {}
        self.uncounted_succeeded: list[str] = list(uncounted.get("succeeded") or ())
        self.uncounted_failed: list[str] = list(uncounted.get("failed") or ())
        new_succeeded = self._ended(self.uncounted_succeeded, succeeded=True)
        new_failed = self._ended(self.uncounted_failed, succeeded=False)
        self.succeeded = self._count("succeeded") + len(new_succeeded) + len(self.uncounted_succeeded)
        counting = sum(rules.judge(job, pod).counts for pod in new_failed)
        self.failed = self._count("failed") + counting + len(self.uncounted_failed)
        self.failures = failures.after(new_succeeded, new_failed)
        self.succeeded_before: Intervals = []
        self.succeeded_indexes: Intervals = []
        self.failed_indexes: Intervals | None = None
        self.delayed: dict[int, Object] = {}
        """By index: the failed pod that stays until its replacement, which inherits its count of failures."""
        self.decided: Condition | None = None
        self.changed = False
        if not self.status.get("startTime") and not rules.is_suspended(job):
            self.status["startTime"] = self.stamp

    def _count(self, field: str) -> int:
        return int(self.status.get(field) or 0)

    def valid_index(self, pod: Object) -> bool:
        return not self.indexed or 0 <= rules.index_of(pod) < int(self.completions or 0)

    def _ended(self, uncounted: Sequence[str], *, succeeded: bool) -> list[Object]:
        """Pods that have ended and are in no count yet."""
        over = []
        for pod in self.pods:
            if rules.is_tracked(pod) and pod["metadata"]["uid"] not in uncounted and self.valid_index(pod):
                ended = rules.phase(pod) == "Succeeded" if succeeded else rules.is_failed(pod, self.job)
                if ended:
                    over.append(pod)
        return over

    # ---- deciding

    def decide(self) -> float | None:
        """Sets `decided` where the Job has succeeded or failed; returns the seconds to its deadline."""
        self.decided = conditions.true(self.job, conditions.SUCCESS_CRITERIA_MET)
        if self.decided is None:
            self._decide_on_failure_policy()
        left = self._seconds_to_deadline()
        if self.decided is None:
            if self.failed > int(self.spec["backoffLimit"]) or rules.restarts_exceed_limit(self.job, self.pods):
                self.fail(conditions.BACKOFF_LIMIT)
            elif left is not None and left <= 0:
                self.fail(conditions.DEADLINE)
        if self.indexed:
            self._decide_on_indexes()
        return left if self.decided is None else None

    def _decide_on_failure_policy(self) -> None:
        target = conditions.true(self.job, conditions.FAILURE_TARGET)
        if target is not None:
            self.decided = conditions.final(target, self.stamp)
        elif message := rules.failure_message(self.job, self.pods):
            self.fail(("PodFailurePolicy", message))

    def fail(self, why: tuple[str, str]) -> None:
        self.decided = conditions.new(conditions.FAILURE_TARGET, *why, self.stamp)

    def succeed(self, why: tuple[str, str]) -> None:
        self.decided = conditions.new(conditions.SUCCESS_CRITERIA_MET, *why, self.stamp)

    def _seconds_to_deadline(self) -> float | None:
        seconds, since = self.spec.get("activeDeadlineSeconds"), self.status.get("startTime")
        if seconds is None or since is None or rules.is_suspended(self.job):
            return None
        return float(seconds) - (self.now - times.parse(since)).total_seconds()

    def _decide_on_indexes(self) -> None:
        completions = int(self.completions or 0)
        self.succeeded_before = intervals.parse(self.status.get("completedIndexes") or "", completions)
        fresh = (pod for pod in self.pods if rules.is_tracked(pod) and self.valid_index(pod))
        done = [rules.index_of(pod) for pod in fresh if rules.phase(pod) == "Succeeded"]
        self.succeeded_indexes = intervals.with_indexes(self.succeeded_before, done)
        self.succeeded = intervals.total(self.succeeded_indexes)
        if rules.has_limit_per_index(self.job):
            self._decide_on_failed_indexes(completions)
            self._delay()
        if self.decided is None and (message := rules.success_message(self.job, self.succeeded_indexes)):
            self.succeed(("SuccessPolicy", message))

    def _decide_on_failed_indexes(self, completions: int) -> None:
        before = intervals.parse(self.status.get("failedIndexes") or "", completions)
        fresh = (pod for pod in self.pods if rules.is_tracked(pod) and self.valid_index(pod))
        self.failed_indexes = intervals.with_indexes(before, [rules.index_of(pod) for pod in fresh if rules.is_index_failed(self.job, pod)])
        if self.decided is not None:
            return
        failed, limit = intervals.total(self.failed_indexes), self.spec.get("maxFailedIndexes")
        if limit is not None and failed > int(limit):
            self.fail(conditions.MAX_FAILED_INDEXES)
        elif failed and failed + self.succeeded >= completions:
            self.fail(conditions.FAILED_INDEXES)

    def _delay(self) -> None:
        active = {rules.index_of(pod) for pod in self.active}
        settled = intervals.union(self.succeeded_indexes, self.failed_indexes or [])
        for pod in self._ended((), succeeded=False):
            index = rules.index_of(pod)
            if index not in active and not intervals.contains(settled, index):
                present = self.delayed.get(index)
                if present is None or _weight(present) <= _weight(pod):
                    self.delayed[index] = pod

    # ---- how many pods there should be

    def wanted(self) -> int:
        parallelism = int(self.spec["parallelism"])
        if self.completions is None:  # any success ends it: what runs is left to run
            return self.active_count if self.succeeded > 0 else parallelism
        return max(min(int(self.completions) - self.succeeded, parallelism), 0)

    def pending_indexes(self, count: int) -> list[int]:
        taken = intervals.with_indexes(self.succeeded_indexes, (rules.index_of(pod) for pod in self.active if rules.index_of(pod) >= 0))
        if rules.only_replaces_failed(self.job):
            leaving = (rules.index_of(pod) for pod in self.pods if pods.is_terminating(pod) and rules.index_of(pod) >= 0)
            taken = intervals.with_indexes(taken, leaving)
        taken = intervals.union(taken, self.failed_indexes or [])
        return intervals.first_missing(taken, count, int(self.completions or 0))

    def is_complete(self) -> bool:
        if self.active_count:
            return False
        return self.succeeded > 0 if self.completions is None else self.succeeded >= int(self.completions)

    # ---- status

    def set_condition(self, condition: Condition) -> bool:
        changed = conditions.ensured(self.status.get("conditions") or (), condition)
        if changed is None:
            return False
        self.status["conditions"] = changed
        self.changed = True
        return True

    def count_pods(self) -> None:
        """Puts the counts of pods that are there into the status."""
        self.set("active", self.active_count or None)
        self.set("ready", self.ready)
        self.set("terminating", self.terminating)

    def set(self, field: str, value: Any) -> None:
        """None leaves the field out."""
        if self.status.get(field) == value:
            return
        self.changed = True
        if value is None:
            del self.status[field]
        else:
            self.status[field] = value

    def store_uncounted(self) -> None:
        uncounted = {"succeeded": self.uncounted_succeeded, "failed": self.uncounted_failed}
        self.set("uncountedTerminatedPods", {field: list(uids) for field, uids in uncounted.items() if uids})


def _weight(pod: Object) -> tuple[int, datetime]:
    return rules.failures_of(pod) + rules.ignored_failures_of(pod), backoff.finished_at(pod)
