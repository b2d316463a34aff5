"""DaemonSets, with the template generation that apps/v1 still carries in an annotation."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import go_numbers
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.core.pod_defaults import default_pod_template
from kctl.kube_apiserver.registry.core.pod_validation import validate_pod_template
from kctl.kube_apiserver.registry.core.pod_warnings import template_warnings
from kctl.kube_apiserver.registry.strategy import Context, Strategy

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


class DaemonSetStrategy(Strategy):
    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        strategy = spec.setdefault("updateStrategy", {})
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            for field, value in (("maxUnavailable", 1), ("maxSurge", 0)):
                if rolling.get(field) is None:
                    rolling[field] = value
        if spec.get("revisionHistoryLimit") is None:
            spec["revisionHistoryLimit"] = 10

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        _set_generation(obj, max(_generation(obj), 1))

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        changed = not context.subresource and obj["spec"].get("template") != old["spec"].get("template")
        _set_generation(obj, _generation(old) + changed)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        selector, template = spec.get("selector"), spec.get("template")
        found, usable = rules.validate_selector(selector, "daemonset", "spec.selector", None)
        empty = [error for error in found if "empty selector" in error.body]
        errors = [error for error in found if error not in empty and selector is not None]
        if usable:
            errors += rules.selector_mismatch(selector, template, "spec.template")
        errors += empty
        errors += validate_pod_template(template, "spec.template")
        errors += rules.read_only_disks(template, "spec.template")
        errors += rules.validate_always_running(template, "DaemonSet", "spec.template")
        errors += rules.non_negative(spec, "spec", "minReadySeconds")
        errors += _strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
        return errors + rules.non_negative(spec, "spec", "revisionHistoryLimit")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        if obj["spec"] == old["spec"]:
            return []
        return self.validate(context, obj) + rules.immutable_selector(obj["spec"], old["spec"])

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        status, before = obj.get("status") or {}, old.get("status") or {}
        return rules.status_counts(status, *_COUNTS) + rules.collision_count(status, before)

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        return template_warnings(obj["spec"].get("template"), "spec.template")

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        if context.subresource or obj["spec"].get("template") == old["spec"].get("template"):
            return []
        return self.warnings_on_create(context, obj)


def _strategy(strategy: dict[str, Any], path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        return [fe.unsupported(path, go_form("apps.v1.DaemonSetUpdateStrategy", strategy), ("RollingUpdate", "OnDelete"))]
    if rolling is None:
        return [fe.required(f"{path}.rollingUpdate")]
    here = f"{path}.rollingUpdate"
    errors: list[FieldError] = []
    for field in ("maxUnavailable", "maxSurge"):
        errors += rules.int_or_percent(rolling.get(field), f"{here}.{field}")
        errors += rules.not_more_than_100_percent(rolling.get(field), f"{here}.{field}")
    unavailable, surge = rules.amount(rolling.get("maxUnavailable")), rules.amount(rolling.get("maxSurge"))
    if unavailable and surge:
        why = "may not be set when maxUnavailable is non-zero"
        errors.append(fe.invalid(f"{here}.maxSurge", rolling.get("maxSurge"), why))
    elif not unavailable and not surge:
        errors.append(fe.required(f"{here}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors
