"""What a JobSpec must be, in Jobs and in the templates of CronJobs. The whole object that rules get is the JobSpec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import go_numbers, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry.core.pod_validation import validate_pod_template
from kctl.kube_apiserver.registry.rules.checks import most_items, non_negative, required_if
from kctl.kube_apiserver.registry.rules.language import each, field, pointer, struct, when

Spec = Mapping[str, Any]
_ACTIONS = enums.of("PodFailurePolicyRule.action")
_INDEXED = "requires indexed completion mode"
_MAX_INDEXED = 100_000
_MAX_RULES = 20
_MAX_CODES = 255


def validate_job_spec(spec: Spec, path: str) -> list[FieldError]:
    return _JOB_SPEC.errors_at(spec, path, spec)


def _domain_path(value: str, path: str) -> list[FieldError]:
    errors = names.domain_prefixed_path(path, value) if value else [fe.required(path)]
    return [*errors, fe.too_long(path, 63)] if len(value) > 63 else errors


def _indexed(spec: Spec, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if spec.get("completions") is None:
        errors.append(fe.required(f"{path}.completions", "when completion mode is Indexed"))
    if (spec.get("parallelism") or 0) > _MAX_INDEXED:
        why = f"must be less than or equal to {_MAX_INDEXED} when completion mode is Indexed"
        errors.append(fe.invalid(f"{path}.parallelism", spec["parallelism"], why))
    limit, total = spec.get("maxFailedIndexes"), spec.get("completions")
    if limit is not None and total is not None and limit > total:
        errors.append(fe.invalid(f"{path}.maxFailedIndexes", limit, "must be less than or equal to completions"))
    return errors


def _only_indexed(value: Any, path: str) -> list[FieldError]:
    return [fe.invalid(path, value, _INDEXED)]


def _is_indexed(spec: Spec) -> bool:
    return spec.get("completionMode") == "Indexed"


def _quoted(values: tuple[str, ...]) -> str:
    return "valid values: [" + " ".join(fe.go_value(value) for value in values) + "]"


def _fails_index(action: str, path: str, job: Spec) -> list[FieldError]:
    if action != "FailIndex" or job.get("backoffLimitPerIndex") is not None:
        return []
    return [fe.invalid(path, action, "requires the backoffLimitPerIndex to be set")]


def _codes_or_conditions(rule: Spec, path: str) -> list[FieldError]:
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
    if codes is not None and conditions:
        return [_omitted(path, "specifying both OnExitCodes and OnPodConditions is not supported")]
    if codes is None and not conditions:
        return [_omitted(path, "specifying one of OnExitCodes and OnPodConditions is required")]
    return []


def _omitted(path: str, why: str) -> FieldError:
    """An invalid value that is not shown."""
    return FieldError("Invalid value", path, f"Invalid value: {why}")


def _container(name: str, path: str, job: Spec) -> list[FieldError]:
    pod = (job.get("template") or {}).get("spec") or {}
    if any(container.get("name") == name for kind in ("containers", "initContainers") for container in pod.get(kind) or ()):
        return []
    return [fe.invalid(path, name, "must be one of the container or initContainer names in the pod template")]


def _code_values(codes: Spec, path: str) -> list[FieldError]:
    here, values = f"{path}.values", codes.get("values") or []
    errors = most_items(_MAX_CODES)(values, here) if values else [fe.invalid(here, [], "at least one value is required")]
    seen: set[int] = set()
    for index, value in enumerate(values):
        if codes.get("operator") == "In" and value == 0:
            errors.append(fe.invalid(f"{here}[{index}]", value, "must not be 0 for the In operator"))
        if value in seen:
            errors.append(fe.duplicate(f"{here}[{index}]", value))
        seen.add(value)
    if any(before > after for before, after in pairwise(values)):
        errors.append(fe.invalid(here, values, "must be ordered"))
    return errors


def _success_policy(policy: Spec, path: str, job: Spec) -> list[FieldError]:
    if _is_indexed(job):
        return _SUCCESS_POLICY.errors_at(policy, path, job)
    return [fe.invalid(path, go_form("batch.v1.SuccessPolicy", policy), _INDEXED)]


def _success_rule(rule: Spec, path: str, job: Spec) -> list[FieldError]:
    count, indexes, completions = rule.get("succeededCount"), rule.get("succeededIndexes"), job.get("completions") or 0
    if count is None and indexes is None:
        return [fe.required(path, "at least one of succeededCount or succeededIndexes must be specified")]
    errors: list[FieldError] = []
    total = completions
    if indexes is not None:
        named, why = _count_indexes(indexes, completions)
        if why:
            errors.append(fe.invalid(f"{path}.succeededIndexes", indexes, f"error parsing succeededIndexes: {why}"))
        else:
            total = named
    if count is not None:
        here = f"{path}.succeededCount"
        non_negative.check(count, here, errors, None)
        if count > completions:
            errors.append(fe.invalid(here, count, f"must be less than or equal to {completions} (the number of specified completions)"))
        elif count > total:
            why = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            errors.append(fe.invalid(here, count, why))
    return errors


def _count_indexes(text: str, completions: int) -> tuple[int, str]:
    """(how many indexes "1,3-5" names, what is wrong with it)"""
    total, previous = 0, -1
    for part in text.split(",") if text else ():
        bounds = part.split("-")
        if len(bounds) > 2:
            rule = "the requirement that an index interval can have at most two parts separated by '-'"
            return 0, f"the fragment {fe.go_value(part)} violates {rule}"
        for bound in bounds:
            if not re.fullmatch(r"[0-9]+", bound):
                return 0, f"cannot convert string to integer for index: {fe.go_value(bound)}"
            if (go_numbers.saturated(bound) or 0) >= completions:
                return 0, f"too large index: {fe.go_value(bound)}"
        first, last = int(bounds[0]), int(bounds[-1])
        if first <= previous:
            return 0, f"non-increasing order, previous: {previous}, current: {first}"
        if len(bounds) == 2 and last <= first:
            return 0, f"non-increasing order, previous: {first}, current: {last}"
        total += last - first + 1
        previous = last
    return total, ""


def _replacement(policy: str, path: str, job: Spec) -> list[FieldError]:
    choices = enums.of("JobSpec.podReplacementPolicy") if job.get("podFailurePolicy") is None else ("Failed",)
    return [] if policy in choices else [fe.unsupported(path, policy, choices)]


def _restart(spec: Spec, path: str) -> list[FieldError]:
    policy, here = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") or "", f"{path}.template.spec.restartPolicy"
    if policy in ("", "Always"):
        return [fe.required(here, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [fe.unsupported(here, policy, ("OnFailure", "Never"))]
    if policy == "OnFailure" and spec.get("podFailurePolicy") is not None:
        return [fe.invalid(here, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


_OPERATORS, _STATUSES = ("In", "NotIn"), ("False", "True", "Unknown")
_EXIT_CODES = struct(
    field("operator", enum=_OPERATORS, required=_quoted(_OPERATORS)),
    pointer("containerName", _container),
    _code_values,
)
_CONDITION = struct(field("type", names.qualified_name), field("status", enum=_STATUSES, required=_quoted(_STATUSES)))
_FAILURE_RULE = struct(
    field("action", _fails_index, enum=_ACTIONS, required=_quoted(_ACTIONS)),
    pointer("onExitCodes", _EXIT_CODES),
    field("onPodConditions", each(_CONDITION)),
    _codes_or_conditions,
)
_SUCCESS_POLICY = struct(
    field(
        "rules",
        most_items(_MAX_RULES),
        each(_success_rule),
        required="at least one rules must be specified when the successPolicy is specified",
    )
)
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_INDEX_LIMITS = ("backoffLimitPerIndex", "maxFailedIndexes")
_JOB_SPEC = struct(
    *(field(name, non_negative) for name in (*_COUNTS, *_INDEX_LIMITS)),
    required_if(lambda spec: spec.get("maxFailedIndexes") is not None, "backoffLimitPerIndex", "when maxFailedIndexes is specified"),
    pointer("managedBy", _domain_path),
    pointer("completionMode", enum=("NonIndexed", "Indexed")),
    when(_is_indexed, _indexed),
    when(lambda spec: not _is_indexed(spec), *(pointer(name, _only_indexed) for name in _INDEX_LIMITS)),
    pointer("podFailurePolicy", struct(field("rules", most_items(_MAX_RULES), each(_FAILURE_RULE)))),
    pointer("successPolicy", _success_policy),
    pointer("podReplacementPolicy", _replacement),
    field("template", validate_pod_template, zero=None),
    _restart,
)
