"""How many replicas a metric asks for (pkg/controller/podautoscaler/replica_calculator.go). Pure; values are in thousandths.

Pods that are not ready and pods without a sample are counted so that they never make a change larger: at nothing when it goes up, at
their full share when it goes down.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from controllers.runtime import pods as pod_facts
from kctl.apimachinery import objects, quantity, times
from kctl.apimachinery.objects import Object

DEFAULT_TOLERANCE = 0.1
CPU_INITIALIZATION = timedelta(minutes=5)
INITIAL_READINESS_DELAY = timedelta(seconds=30)


class MetricFailure(Exception):
    """No number of replicas can be had of a metric; the message is the user's."""


class Sample(NamedTuple):
    """Of one pod. `window` is the time it was measured over."""

    value: int
    timestamp: datetime
    window: timedelta


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far usage may be from its target before anything is done: down (below), up (above)."""

    down: float = DEFAULT_TOLERANCE
    up: float = DEFAULT_TOLERANCE

    def allow(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Usage(NamedTuple):
    """`ratio` of usage and target; `utilization` in percent of requests, 0 where there is no such; `average` of the pods."""

    ratio: float
    utilization: int
    average: int


class Verdict(NamedTuple):
    replicas: int
    usage: Usage


class _Groups(NamedTuple):
    ready: int
    unready: set[str]
    missing: set[str]
    ignored: set[str]


def requests_of(pods: Collection[Object], resource: str, container: str = "") -> dict[str, int]:
    """By pod name. Raises MetricFailure where a container says nothing: a share of nothing is no number."""
    found = {}
    for pod in pods:
        spec = objects.spec(pod)
        level = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
        if level is not None and not container:
            found[objects.name(pod)] = quantity.milli(level)
            continue
        total, known = 0, not container
        sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
        for each in [*(spec.get("containers") or ()), *sidecars]:
            if container and each["name"] != container:
                continue
            known = True
            wanted = ((each.get("resources") or {}).get("requests") or {}).get(resource)
            if wanted is None:
                raise MetricFailure(f"missing request for {resource} in container {each['name']} of Pod {objects.name(pod)}")
            total += quantity.milli(wanted)
        if not known:
            raise MetricFailure(f"container {container} not found in Pod {objects.name(pod)}")
        found[objects.name(pod)] = total
    return found


def _group(pods: Collection[Object], samples: Mapping[str, Sample], resource: str, now: datetime) -> _Groups:
    ready, unready, missing, ignored = 0, set(), set(), set()
    for pod in pods:
        name, phase = objects.name(pod), objects.status(pod).get("phase")
        if objects.deletion_timestamp(pod) or phase == "Failed":
            ignored.add(name)
        elif phase == "Pending":
            unready.add(name)
        elif name not in samples:
            missing.add(name)
        elif resource == "cpu" and not _counts(pod, samples[name], now):
            unready.add(name)
        else:
            ready += 1
    return _Groups(ready, unready, missing, ignored)


def _counts(pod: Object, sample: Sample, now: datetime) -> bool:
    """Whether the CPU of a pod says anything about its load yet, rather than about its start."""
    condition, started = objects.condition(pod, "Ready"), objects.status(pod).get("startTime")
    if condition is None or not started:
        return False
    since = times.parse(started)
    changed = times.parse(condition["lastTransitionTime"]) if condition.get("lastTransitionTime") else since
    if since + CPU_INITIALIZATION > now:
        return condition.get("status") != "False" and sample.timestamp >= changed + sample.window
    return not (condition.get("status") == "False" and since + INITIAL_READINESS_DELAY > changed)


def _by_requests(samples: Mapping[str, Sample], requests: Mapping[str, int], target: int) -> Usage:
    known = [name for name in samples if name in requests]
    asked = sum(requests[name] for name in known)
    if asked == 0:
        raise MetricFailure("no metrics returned matched known pods")
    used = sum(samples[name].value for name in known)
    utilization = used * 100 // asked
    return Usage(utilization / target, utilization, used // len(known))


def _by_value(samples: Mapping[str, Sample], target: int) -> Usage:
    average = sum(sample.value for sample in samples.values()) // len(samples)
    return Usage(average / target, 0, average)


def for_pods(
    current: int,
    target: int,
    pods: Collection[Object],
    samples: Mapping[str, Sample],
    tolerances: Tolerances,
    now: datetime,
    *,
    resource: str = "",
    requests: Mapping[str, int] | None = None,
) -> Verdict:
    """`target`: percent of `requests` where those are given, else a value. Raises MetricFailure."""
    if not pods:
        raise MetricFailure("no pods returned by selector while calculating replica count")
    groups = _group(pods, samples, resource, now)
    counted = {name: sample for name, sample in samples.items() if name not in groups.ignored | groups.unready}
    if not counted:
        raise MetricFailure("did not receive metrics for targeted pods (pods might be unready)")
    usage = _by_requests(counted, requests, target) if requests is not None else _by_value(counted, target)
    going_up = bool(groups.unready) and usage.ratio > 1.0
    if not going_up and not groups.missing:
        if tolerances.allow(usage.ratio):
            return Verdict(current, usage)
        return Verdict(math.ceil(usage.ratio * groups.ready), usage)
    return Verdict(_with_guesses(current, target, counted, groups, usage, tolerances, now, requests), usage)


def _with_guesses(
    current: int,
    target: int,
    samples: Mapping[str, Sample],
    groups: _Groups,
    usage: Usage,
    tolerances: Tolerances,
    now: datetime,
    requests: Mapping[str, int] | None,
) -> int:
    """Once more with the pods of which nothing is known; the direction never changes by them."""
    guessed = dict(samples)
    for name in groups.missing:
        if usage.ratio < 1.0:
            full = target if requests is None else requests.get(name, 0) * max(100, target) // 100
            guessed[name] = Sample(full, now, timedelta())
        elif usage.ratio > 1.0 or requests is None:
            guessed[name] = Sample(0, now, timedelta())
    if groups.unready and usage.ratio > 1.0:
        guessed |= {name: Sample(0, now, timedelta()) for name in groups.unready}
    again = _by_requests(guessed, requests, target) if requests is not None else _by_value(guessed, target)
    turned = (usage.ratio < 1.0 < again.ratio) or (again.ratio < 1.0 < usage.ratio)
    if tolerances.allow(again.ratio) or turned:
        return current
    wanted = math.ceil(again.ratio * len(guessed))
    if (again.ratio < 1.0 and wanted > current) or (again.ratio > 1.0 and wanted < current):
        return current
    return wanted


def for_value(current: int, value: int, target: int, pods: Collection[Object], tolerances: Tolerances) -> int:
    """Of a number that is not of pods: in proportion to the ready ones; from zero replicas by the ratio alone."""
    ratio = value / target
    if current == 0:
        return math.ceil(ratio)
    if tolerances.allow(ratio):
        return current
    if not pods:
        raise MetricFailure("unable to calculate ready pods: no pods returned by selector while calculating replica count")
    ready = sum(1 for pod in pods if objects.status(pod).get("phase") == "Running" and pod_facts.is_ready(pod))
    return math.ceil(ratio * ready)


def for_average(status_replicas: int, value: int, target: int, tolerances: Tolerances) -> tuple[int, int]:
    """Of a number to be shared by the replicas: how many, and what each has now."""
    ratio = value / (target * status_replicas) if status_replicas else math.inf
    wanted = status_replicas if tolerances.allow(ratio) else math.ceil(value / target)
    return wanted, math.ceil(value / status_replicas) if status_replicas else 0
