"""When a Job may replace failed pods: 10 s after a failure, twice as long after each further one, at most ten minutes.

Pure. The count of a whole Job is kept by the controller in memory (`Failures`); that of an index is in its pods' annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controllers.kube_controller_manager.job import rules
from controllers.runtime import pods
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Failures:
    """Since the last success: how many, and when the last one was."""

    count: int = 0
    last: datetime | None = None

    def after(self, succeeded: Sequence[Object], failed: Sequence[Object]) -> Failures:
        """With pods that have ended since."""
        times_of_failure = sorted(finished_at(pod) for pod in failed)
        if not succeeded:
            return Failures(self.count + len(failed), times_of_failure[-1]) if failed else self
        last_success = max(finished_at(pod) for pod in succeeded)
        later = [moment for moment in times_of_failure if moment > last_success]
        return Failures(len(later), later[-1] if later else None)

    def seconds_left(self, now: datetime) -> float:
        return seconds_left(self.count, self.last, now)


def seconds_left(failures: int, last: datetime | None, now: datetime) -> float:
    if not failures or last is None:
        return 0.0
    wait = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 20), LONGEST_SECONDS)
    return max(wait - (now - last).total_seconds(), 0.0)


def seconds_left_of_index(replaced: Object | None, now: datetime) -> float:
    """`replaced`: the index's last failed pod."""
    if replaced is None:
        return 0.0
    failures = rules.failures_of(replaced) + rules.ignored_failures_of(replaced) + 1
    return seconds_left(failures, finished_at(replaced), now)


def finished_at(pod: Object) -> datetime:
    """When its last container ended; else when it stopped being ready; else when it was deleted; else when it was made."""
    ended = _last_exit(pod)
    if ended is not None:
        return ended
    ready = pods.ready_condition(pod)
    if ready is not None and ready["status"] == "False" and ready.get("lastTransitionTime"):
        return times.parse(ready["lastTransitionTime"])
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        return times.parse(meta["deletionTimestamp"]) - timedelta(seconds=int(meta.get("deletionGracePeriodSeconds") or 0))
    return times.parse(meta["creationTimestamp"])


def _last_exit(pod: Object) -> datetime | None:
    """None while one has not ended. Sidecars end after the others."""
    status = objects.status(pod)
    sidecars = {each["name"] for each in objects.spec(pod).get("initContainers") or () if each.get("restartPolicy") == "Always"}
    entries = [*(status.get("containerStatuses") or ())]
    entries += [container for container in status.get("initContainerStatuses") or () if container["name"] in sidecars]
    moments = [str(((container.get("state") or {}).get("terminated") or {}).get("finishedAt") or "") for container in entries]
    return max(times.parse(moment) for moment in moments) if moments and all(moments) else None
