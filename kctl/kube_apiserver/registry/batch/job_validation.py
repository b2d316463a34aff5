"""Rules of a JobSpec that hold in Jobs and in the templates of CronJobs."""

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
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.core.pod_validation import validate_pod_template

Spec = Mapping[str, Any]
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_ACTIONS = enums.of("PodFailurePolicyRule.action")
_INDEXED = "requires indexed completion mode"
_MAX_INDEXED = 100_000


def validate_job_spec(spec: Spec, path: str) -> list[FieldError]:
    errors = rules.non_negative(spec, path, *_COUNTS)
    errors += rules.non_negative(spec, path, "backoffLimitPerIndex", "maxFailedIndexes")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(fe.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if spec.get("managedBy") is not None:
        errors += _domain_path(spec["managedBy"], f"{path}.managedBy")
    errors += _completion_mode(spec, path)
    if spec.get("podFailurePolicy") is not None:
        errors += _failure_policy(spec, f"{path}.podFailurePolicy")
    if spec.get("successPolicy") is not None:
        errors += _success_policy(spec, f"{path}.successPolicy")
    errors += _replacement_policy(spec, f"{path}.podReplacementPolicy")
    template = spec.get("template")
    errors += validate_pod_template(template, f"{path}.template")
    policy = ((template or {}).get("spec") or {}).get("restartPolicy") or ""
    here = f"{path}.template.spec.restartPolicy"
    if policy in ("", "Always"):
        errors.append(fe.required(here, 'valid values: "OnFailure", "Never"'))
    elif policy != "OnFailure" and policy != "Never":
        errors.append(fe.unsupported(here, policy, ("OnFailure", "Never")))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        errors.append(fe.invalid(here, policy, 'only "Never" is supported when podFailurePolicy is specified'))
    return errors


def _domain_path(value: str, path: str) -> list[FieldError]:
    if not value:
        errors = [fe.required(path)]
    else:
        domain, slash, rest = value.partition("/")
        if not slash or not domain or not rest:
            errors = [fe.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
        else:
            errors = names.errors(path, domain, names.dns1123_subdomain)
            errors += names.errors(path, rest, names.http_path)
    return [*errors, fe.too_long(path, 63)] if len(value) > 63 else errors


def _completion_mode(spec: Spec, path: str) -> list[FieldError]:
    mode = spec.get("completionMode")
    errors: list[FieldError] = []
    if mode is not None and mode not in ("NonIndexed", "Indexed"):
        errors.append(fe.unsupported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed")))
    if mode == "Indexed":
        if spec.get("completions") is None:
            errors.append(fe.required(f"{path}.completions", "when completion mode is Indexed"))
        if (spec.get("parallelism") or 0) > _MAX_INDEXED:
            why = f"must be less than or equal to {_MAX_INDEXED} when completion mode is Indexed"
            errors.append(fe.invalid(f"{path}.parallelism", spec["parallelism"], why))
        limit, total = spec.get("maxFailedIndexes"), spec.get("completions")
        if limit is not None and total is not None and limit > total:
            why = "must be less than or equal to completions"
            errors.append(fe.invalid(f"{path}.maxFailedIndexes", limit, why))
    else:
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(field) is not None:
                errors.append(fe.invalid(f"{path}.{field}", spec[field], _INDEXED))
    return errors


def _failure_policy(spec: Spec, path: str) -> list[FieldError]:
    entries = spec["podFailurePolicy"].get("rules") or ()
    errors = [fe.too_many(f"{path}.rules", len(entries), 20)] if len(entries) > 20 else []
    pod = (spec.get("template") or {}).get("spec") or {}
    known = {c.get("name") for field in ("containers", "initContainers") for c in pod.get(field) or ()}
    for index, rule in enumerate(entries):
        errors += _failure_rule(rule, spec, known, f"{path}.rules[{index}]")
    return errors


def _quoted(values: tuple[str, ...]) -> str:
    return "valid values: [" + " ".join(fe.go_value(value) for value in values) + "]"


def _failure_rule(rule: Spec, spec: Spec, known: set[Any], path: str) -> list[FieldError]:
    action = rule.get("action") or ""
    errors: list[FieldError] = []
    if not action:
        errors.append(fe.required(f"{path}.action", _quoted(_ACTIONS)))
    elif action not in _ACTIONS:
        errors.append(fe.unsupported(f"{path}.action", action, _ACTIONS))
    elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        errors.append(fe.invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set"))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or ()
    if codes is not None:
        errors += _exit_codes(codes, known, f"{path}.onExitCodes")
    for index, pattern in enumerate(conditions):
        errors += _condition(pattern, f"{path}.onPodConditions[{index}]")
    if codes is not None and conditions:
        errors.append(_omitted(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not conditions:
        errors.append(_omitted(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _omitted(path: str, why: str) -> FieldError:
    """An invalid value that is not shown."""
    return FieldError("Invalid value", path, f"Invalid value: {why}")


def _exit_codes(codes: Spec, known: set[Any], path: str) -> list[FieldError]:
    operator, values = codes.get("operator") or "", codes.get("values") or []
    errors: list[FieldError] = []
    if not operator:
        errors.append(fe.required(f"{path}.operator", _quoted(("In", "NotIn"))))
    elif operator not in ("In", "NotIn"):
        errors.append(fe.unsupported(f"{path}.operator", operator, ("In", "NotIn")))
    if codes.get("containerName") is not None and codes["containerName"] not in known:
        why = "must be one of the container or initContainer names in the pod template"
        errors.append(fe.invalid(f"{path}.containerName", codes["containerName"], why))
    here = f"{path}.values"
    if not values:
        errors.append(fe.invalid(here, [], "at least one value is required"))
    elif len(values) > 255:
        errors.append(fe.too_many(here, len(values), 255))
    seen: set[int] = set()
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            errors.append(fe.invalid(f"{here}[{index}]", value, "must not be 0 for the In operator"))
        if value in seen:
            errors.append(fe.duplicate(f"{here}[{index}]", value))
        seen.add(value)
    if any(before > after for before, after in pairwise(values)):
        errors.append(fe.invalid(here, values, "must be ordered"))
    return errors


def _condition(pattern: Spec, path: str) -> list[FieldError]:
    errors = names.errors(f"{path}.type", pattern.get("type") or "", names.qualified_name)
    status, choices = pattern.get("status") or "", ("False", "True", "Unknown")
    if not status:
        errors.append(fe.required(f"{path}.status", _quoted(choices)))
    elif status not in choices:
        errors.append(fe.unsupported(f"{path}.status", status, choices))
    return errors


def _success_policy(spec: Spec, path: str) -> list[FieldError]:
    policy = spec["successPolicy"]
    if spec.get("completionMode") != "Indexed":
        return [fe.invalid(path, go_form("batch.v1.SuccessPolicy", policy), _INDEXED)]
    entries = policy.get("rules") or ()
    if not entries:
        why = "at least one rules must be specified when the successPolicy is specified"
        return [fe.required(f"{path}.rules", why)]
    errors = [fe.too_many(f"{path}.rules", len(entries), 20)] if len(entries) > 20 else []
    for index, rule in enumerate(entries):
        errors += _success_rule(rule, spec.get("completions") or 0, f"{path}.rules[{index}]")
    return errors


def _success_rule(rule: Spec, completions: int, path: str) -> list[FieldError]:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and indexes is None:
        why = "at least one of succeededCount or succeededIndexes must be specified"
        return [fe.required(path, why)]
    errors: list[FieldError] = []
    total = completions
    if indexes is not None:
        found, why = _count_indexes(indexes, completions)
        if why:
            shown = f"error parsing succeededIndexes: {why}"
            errors.append(fe.invalid(f"{path}.succeededIndexes", indexes, shown))
        else:
            total = found
    if count is not None:
        here = f"{path}.succeededCount"
        errors += rules.non_negative(rule, path, "succeededCount")
        if count > completions:
            why = f"must be less than or equal to {completions} (the number of specified completions)"
            errors.append(fe.invalid(here, count, why))
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


def _replacement_policy(spec: Spec, path: str) -> list[FieldError]:
    policy = spec.get("podReplacementPolicy")
    if policy is None:
        return []
    if spec.get("podFailurePolicy") is not None:
        return [] if policy == "Failed" else [fe.unsupported(path, policy, ("Failed",))]
    choices = enums.of("JobSpec.podReplacementPolicy")
    return [] if policy in choices else [fe.unsupported(path, policy, choices)]
