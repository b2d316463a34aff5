"""What a Job's spec says about single pods: when one counts as failed, and what follows from it (podFailurePolicy, successPolicy).

Pure: dicts in, answers out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from controllers.kube_controller_manager.job import intervals
from controllers.kube_controller_manager.job.intervals import Intervals
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"


def is_indexed(job: Object) -> bool:
    return objects.spec(job).get("completionMode") == "Indexed"


def is_suspended(job: Object) -> bool:
    return bool(objects.spec(job).get("suspend"))


def is_finished(job: Object) -> bool:
    return objects.is_condition_true(job, "Complete") or objects.is_condition_true(job, "Failed")


def only_replaces_failed(job: Object) -> bool:
    """Terminating pods are replaced only when they have failed for good."""
    return objects.spec(job).get("podReplacementPolicy") == "Failed" or "podFailurePolicy" in objects.spec(job)


def has_limit_per_index(job: Object) -> bool:
    return objects.spec(job).get("backoffLimitPerIndex") is not None


def is_tracked(pod: Object) -> bool:
    """Not counted for good yet."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def phase(pod: Object) -> str:
    return (pod.get("status") or {}).get("phase") or ""


def is_failed(pod: Object, job: Object) -> bool:
    """Pods being deleted count too, for they may never get to say that they have failed."""
    if phase(pod) == "Failed":
        return True
    if only_replaces_failed(job):
        return False
    return "deletionTimestamp" in pod["metadata"] and phase(pod) != "Succeeded"


def index_of(pod: Object) -> int:
    """Its completion index, -1 where it has none."""
    return max(_number(pod, INDEX, -1), -1)


def failures_of(pod: Object) -> int:
    """How often its index had failed before it."""
    return _number(pod, FAILURES, 0)


def ignored_failures_of(pod: Object) -> int:
    return _number(pod, IGNORED_FAILURES, 0)


def _number(pod: Object, annotation: str, default: int) -> int:
    try:
        return int((pod["metadata"].get("annotations") or {}).get(annotation, default))
    except ValueError:
        return default


# ---- podFailurePolicy


class Verdict(NamedTuple):
    """`counts`: against backoffLimit. `action`: of the rule that matched. `message`: why the whole Job fails."""

    counts: bool = True
    action: str = ""
    message: str = ""


def judge(job: Object, pod: Object) -> Verdict:
    """What podFailurePolicy makes of a failed pod: the first rule that matches."""
    rules: Sequence[Mapping[str, Any]] = (objects.spec(job).get("podFailurePolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        action = rule["action"]
        why = _matches(rule, pod)
        if why:
            message = f"{why} matching {action} rule at index {number}" if action == "FailJob" else ""
            return Verdict(action != "Ignore", action, message)
    return Verdict()


def _matches(rule: Mapping[str, Any], pod: Object) -> str:
    status, where = objects.status(pod), f"{objects.namespace(pod)}/{objects.name(pod)}"
    if rule.get("onExitCodes") is not None:
        for field in ("containerStatuses", "initContainerStatuses"):
            for container in status.get(field) or ():
                code = (container.get("state") or {}).get("terminated", {}).get("exitCode", 0)
                if _code_matches(rule["onExitCodes"], container["name"], code):
                    return f"Container {container['name']} for pod {where} failed with exit code {code}"
        return ""
    for condition in status.get("conditions") or ():
        for pattern in rule.get("onPodConditions") or ():
            if condition["type"] == pattern["type"] and condition["status"] == pattern.get("status", "True"):
                return f"Pod {where} has condition {condition['type']}"
    return ""


def _code_matches(wanted: Mapping[str, Any], container: str, code: int) -> bool:
    if not code or wanted.get("containerName", container) != container:
        return False
    listed = code in (wanted.get("values") or ())
    return listed if wanted["operator"] == "In" else not listed


def failure_message(job: Object, members: Collection[Object]) -> str:
    """Why podFailurePolicy ends the Job, '' where it does not."""
    if "podFailurePolicy" not in objects.spec(job):
        return ""
    return next((verdict.message for pod in members if is_failed(pod, job) and (verdict := judge(job, pod)).message), "")


# ---- limits


def is_index_failed(job: Object, pod: Object) -> bool:
    """Whether this failure is one too many for its index, or the policy gives the index up."""
    if not is_failed(pod, job):
        return False
    verdict = judge(job, pod)
    limit = int(objects.spec(job)["backoffLimitPerIndex"])
    return verdict.action == "FailIndex" or (verdict.counts and failures_of(pod) >= limit)


def restarts_exceed_limit(job: Object, members: Collection[Object]) -> bool:
    """With restartPolicy OnFailure kubelets restart containers; their restarts are the failures."""
    spec = objects.spec(job)
    if spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = 0
    for pod in members:
        if phase(pod) in ("Running", "Pending"):
            for field in ("initContainerStatuses", "containerStatuses"):
                restarts += sum(int(container.get("restartCount") or 0) for container in objects.status(pod).get(field) or ())
    limit = int(spec["backoffLimit"])
    return restarts > 0 if limit == 0 else restarts >= limit


# ---- successPolicy


def success_message(job: Object, succeeded: Intervals) -> str:
    """Which rule of successPolicy is met, '' where none is."""
    if not succeeded:
        return ""
    spec = objects.spec(job)
    for number, rule in enumerate((spec.get("successPolicy") or {}).get("rules") or ()):
        count = rule.get("succeededCount")
        if rule.get("succeededIndexes") is not None:
            wanted = intervals.parse(rule["succeededIndexes"], int(spec["completions"]))
            done = intervals.overlap(wanted, succeeded)
            met = bool(wanted) and (done == intervals.total(wanted) or (count is not None and done >= count))
        else:
            met = count is not None and intervals.total(succeeded) >= count
        if met:
            return f"Matched rules at index {number}"
    return ""


def surplus(job: Object, ordered: Sequence[Object], at_least: int) -> list[Object]:
    """Active pods to remove: of an indexed Job first those without, beyond or with a doubled index; then others
    until there are `at_least`. `ordered` are all active pods, least valuable first."""
    doomed: dict[str, Object] = {}
    if is_indexed(job):
        taken: set[int] = set()
        completions = int(objects.spec(job)["completions"])
        for pod in reversed(ordered):  # the most valuable keeps its index
            index = index_of(pod)
            if index < 0 or index >= completions or index in taken:
                doomed[pod["metadata"]["uid"]] = pod
            taken.add(index)
    for pod in ordered:
        if len(doomed) >= at_least:
            break
        doomed.setdefault(pod["metadata"]["uid"], pod)
    return list(doomed.values())
