"""Deployments."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.core.pod_defaults import default_pod_template
from kctl.kube_apiserver.registry.core.pod_warnings import template_warnings
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_COUNTS = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
)
_ABOVE = "cannot be greater than status.replicas"


class DeploymentStrategy(Strategy):
    """A change of the annotations counts as a new generation too: they are copied to the ReplicaSets."""

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        if spec.get("replicas") is None:
            spec["replicas"] = 1
        strategy = spec.setdefault("strategy", {})
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            for field in ("maxUnavailable", "maxSurge"):
                if rolling.get(field) is None:
                    rolling[field] = "25%"
        if spec.get("revisionHistoryLimit") is None:
            spec["revisionHistoryLimit"] = 10
        if spec.get("progressDeadlineSeconds") is None:
            spec["progressDeadlineSeconds"] = 600

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        meta, before = obj["metadata"], old["metadata"]
        if context.subresource == "status":
            _keep_labels(meta, before)
        if context.subresource:
            return
        if (meta.get("annotations") or {}) != (before.get("annotations") or {}):
            meta["generation"] = before.get("generation", 0) + 1

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        errors = rules.non_negative(spec, "spec", "replicas")
        found, usable = rules.validate_selector(spec.get("selector"), "deployment", "spec.selector", "invalid label selector")
        errors += found
        template = spec.get("template")
        if usable:
            errors += rules.selector_mismatch(spec.get("selector"), template, "spec.template")
            errors += rules.validate_template(template, spec.get("replicas") or 0, "ReplicaSet", "spec.template")
        errors += _strategy(spec.get("strategy") or {}, "spec.strategy")
        errors += rules.non_negative(spec, "spec", "minReadySeconds", "revisionHistoryLimit")
        deadline = spec.get("progressDeadlineSeconds")
        if deadline is not None:
            errors += rules.non_negative(spec, "spec", "progressDeadlineSeconds")
            if deadline <= (spec.get("minReadySeconds") or 0):
                errors.append(fe.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        if obj["spec"] == old["spec"]:
            return []
        return self.validate(context, obj) + rules.immutable_selector(obj["spec"], old["spec"])

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        status, before = obj.get("status") or {}, old.get("status") or {}
        errors = rules.status_counts(status, *_COUNTS)
        errors += rules.collision_count(status, before)
        errors += rules.not_above(status, "replicas", _ABOVE, "updatedReplicas", "readyReplicas", "availableReplicas")
        return errors + rules.not_above(status, "readyReplicas", "cannot be greater than readyReplicas", "availableReplicas")

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        return rules.name_warnings(obj["metadata"]) + template_warnings(obj["spec"].get("template"), "spec.template")

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        if context.subresource or obj["spec"].get("template") == old["spec"].get("template"):
            return []
        return template_warnings(obj["spec"].get("template"), "spec.template")


def _keep_labels(meta: dict[str, Any], before: dict[str, Any]) -> None:
    """A status write does not change the labels either."""
    if "labels" in before:
        meta["labels"] = before["labels"]
    else:
        meta.pop("labels", None)


def _strategy(strategy: dict[str, Any], path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        why = "may not be specified when strategy `type` is 'Recreate'"
        return [] if rolling is None else [fe.forbidden(f"{path}.rollingUpdate", why)]
    if kind != "RollingUpdate":
        return [fe.unsupported(path, go_form("apps.v1.DeploymentStrategy", strategy), ("Recreate", "RollingUpdate"))]
    if rolling is None:
        return [fe.required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    here = f"{path}.rollingUpdate"
    errors = rules.int_or_percent(unavailable, f"{here}.maxUnavailable")
    errors += rules.int_or_percent(surge, f"{here}.maxSurge")
    if rules.amount(unavailable) == 0 and rules.amount(surge) == 0:
        errors.append(fe.invalid(f"{here}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return errors + rules.not_more_than_100_percent(unavailable, f"{here}.maxUnavailable")
