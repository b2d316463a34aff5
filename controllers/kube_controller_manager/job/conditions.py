"""Conditions of a Job: their reasons and messages, and the one that decides before the final one (SuccessCriteriaMet, FailureTarget).

Pure: lists in, lists out.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Condition, Object

COMPLETE, FAILED, SUSPENDED = "Complete", "Failed", "Suspended"
SUCCESS_CRITERIA_MET, FAILURE_TARGET = "SuccessCriteriaMet", "FailureTarget"

BACKOFF_LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")
MAX_FAILED_INDEXES = ("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
FAILED_INDEXES = ("FailedIndexes", "Job has failed indexes")
COMPLETIONS = ("CompletionsReached", "Reached expected number of succeeded pods")


def new(kind: str, reason: str, message: str, now: str, status: str = "True") -> Condition:
    condition = {"type": kind, "status": status, "lastProbeTime": now, "lastTransitionTime": now, "reason": reason, "message": message}
    return {field: value for field, value in condition.items() if value}


def true(job: Object, kind: str) -> Condition | None:
    condition = objects.find_condition(objects.status(job).get("conditions") or (), kind)
    return condition if condition is not None and condition["status"] == "True" else None


def final(interim: Condition, now: str) -> Condition:
    """What becomes of a decision when nothing is left to be counted."""
    kind = COMPLETE if interim["type"] in (SUCCESS_CRITERIA_MET, COMPLETE) else FAILED
    return new(kind, interim.get("reason", ""), interim.get("message", ""), now)


def ensured(conditions: Sequence[Condition], condition: Condition) -> list[Condition] | None:
    """With the condition as it should be; None where it is. Nothing becomes False that never was."""
    present = objects.find_condition(conditions, condition["type"])
    if present is None:
        return None if condition["status"] == "False" else [*conditions, condition]
    if all(present.get(field) == condition.get(field) for field in ("status", "reason", "message")):
        return None
    return [condition if known is present else known for known in conditions]
