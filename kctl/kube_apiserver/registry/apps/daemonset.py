"""DaemonSets, with the template generation that apps/v1 still carries in an annotation."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import go_numbers
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.core.pod_validation import validate_pod_template
from kctl.kube_apiserver.registry.rules.checks import non_negative
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct
from kctl.kube_apiserver.registry.strategy import Context

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_COUNTS = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
)


def _generation(obj: Object) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "0")
    return go_numbers.saturated(text) or 0


def _set_generation(obj: Object, generation: int) -> None:
    meta = obj["metadata"]
    meta["annotations"] = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}


def _template(spec: Any, path: str) -> list[FieldError]:
    selector, template = spec.get("selector"), spec.get("template")
    found, usable = rules.validate_selector(selector, "daemonset", "spec.selector", None)
    empty = [error for error in found if "empty selector" in error.body]
    errors = [error for error in found if error not in empty and selector is not None]
    if usable:
        errors += rules.selector_mismatch(selector, template, "spec.template")
    errors += [*empty, *validate_pod_template(template, "spec.template"), *rules.read_only_disks(template, "spec.template")]
    return errors + rules.validate_always_running(template, "DaemonSet", "spec.template")


def _update_strategy(strategy: Any, path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        return [fe.unsupported(path, go_form("apps.v1.DaemonSetUpdateStrategy", strategy), ("RollingUpdate", "OnDelete"))]
    if rolling is None:
        return [fe.required(f"{path}.rollingUpdate")]
    here = f"{path}.rollingUpdate"
    errors: list[FieldError] = []
    for name in ("maxUnavailable", "maxSurge"):
        errors += rules.int_or_percent(rolling.get(name), f"{here}.{name}")
        errors += rules.not_more_than_100_percent(rolling.get(name), f"{here}.{name}")
    unavailable, surge = rules.amount(rolling.get("maxUnavailable")), rules.amount(rolling.get("maxSurge"))
    if unavailable and surge:
        why = "may not be set when maxUnavailable is non-zero"
        errors.append(fe.invalid(f"{here}.maxSurge", rolling.get("maxSurge"), why))
    elif not unavailable and not surge:
        errors.append(fe.required(f"{here}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


_SPEC = struct(
    _template,
    field("minReadySeconds", non_negative),
    field(
        "updateStrategy",
        _update_strategy,
        rules.rolling_defaults({"maxUnavailable": 1, "maxSurge": 0}),
        default={},
        zero={},
    ),
    pointer("revisionHistoryLimit", non_negative, default=10),
)


class DaemonSetStrategy(rules.WorkloadStrategy):
    names_pods = False
    rules = struct(field("spec", _SPEC, default={}))
    annotates = True

    def versioned(self, obj: Object) -> Object:
        """The template generation is a field, which a version shows as an annotation."""
        meta = obj["metadata"]
        annotations = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(_generation(obj))}
        return {**obj, "metadata": {**meta, "annotations": annotations}}

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        _set_generation(obj, max(_generation(obj), 1))

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        changed = not context.subresource and obj["spec"].get("template") != old["spec"].get("template")
        _set_generation(obj, _generation(old) + changed)

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        status, before = obj.get("status") or {}, old.get("status") or {}
        return rules.status_counts(status, *_COUNTS) + rules.collision_count(status, before)
