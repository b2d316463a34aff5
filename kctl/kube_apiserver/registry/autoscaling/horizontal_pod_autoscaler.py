"""HorizontalPodAutoscalers, stored as autoscaling/v2."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object, deep_copy
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.autoscaling.metric_validation import validate_metrics
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_DEFAULT_METRICS = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]
_SCALE_UP: dict[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN: dict[str, Any] = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_POSITIVE = "must be greater than zero"
_MAX_WINDOW = 3600
_MAX_PERIOD = 1800


class HorizontalPodAutoscalerStrategy(Strategy):
    has_generation = False

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("minReplicas") is None:
            spec["minReplicas"] = 1
        if not spec.get("metrics"):
            spec["metrics"] = deep_copy(_DEFAULT_METRICS)
        behavior = spec.get("behavior")
        if behavior is not None:
            for field, defaults in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
                given = {key: value for key, value in (behavior.get(field) or {}).items() if value is not None}
                behavior[field] = {**deep_copy(defaults), **given}

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        low, high = spec.get("minReplicas"), spec.get("maxReplicas") or 0
        errors: list[FieldError] = []
        if low is not None and low < 1:
            errors.append(fe.invalid("spec.minReplicas", low, "must be greater than or equal to 1"))
        if high < 1:
            errors.append(fe.required("spec.maxReplicas", "must be set and greater than 0"))
        if low is not None and high < low:
            errors.append(fe.invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
        errors += validate_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
        errors += _api_version(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef.apiVersion")
        errors += validate_metrics(spec.get("metrics") or (), low, "spec.metrics")
        behavior = spec.get("behavior") or {}
        for field in ("scaleUp", "scaleDown"):
            if behavior.get(field) is not None:
                errors += _scaling_rules(behavior[field], f"spec.behavior.{field}")
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return [] if obj["spec"] == old["spec"] else self.validate(context, obj)

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return rules.status_counts(obj.get("status") or {}, "currentReplicas", "desiredReplicas")


def validate_reference(reference: dict[str, Any], path: str) -> list[FieldError]:
    """A CrossVersionObjectReference."""
    errors: list[FieldError] = []
    for field in ("kind", "name"):
        value = reference.get(field) or ""
        if value:
            errors += names.errors(f"{path}.{field}", value, names.path_segment_name)
        else:
            errors.append(fe.required(f"{path}.{field}"))
    return errors


def _api_version(reference: dict[str, Any], path: str) -> list[FieldError]:
    value = reference.get("apiVersion") or ""
    if value.count("/") > 1:
        return [fe.invalid(path, value, f"unexpected GroupVersion string: {value}")]
    if "/" not in value and not (value == "v1" and reference.get("kind") == "ReplicationController"):
        return [fe.invalid(path, value, "apiVersion must specify API group")]
    return []


def _scaling_rules(scaling: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    window = scaling.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        errors.append(fe.invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > _MAX_WINDOW:
        why = f"must be less than or equal to {_MAX_WINDOW}"
        errors.append(fe.invalid(f"{path}.stabilizationWindowSeconds", window, why))
    select = scaling.get("selectPolicy")
    if select is not None and select not in ("Disabled", "Max", "Min"):
        errors.append(fe.unsupported(f"{path}.selectPolicy", select, ("Disabled", "Max", "Min")))
    policies = scaling.get("policies") or ()
    if not policies:
        errors.append(fe.required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        errors += _policy(policy, f"{path}.policies[{index}]")
    return errors


def _policy(policy: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, value, period = policy.get("type") or "", policy.get("value") or 0, policy.get("periodSeconds") or 0
    if kind not in ("Percent", "Pods"):
        errors.append(fe.unsupported(f"{path}.type", kind, ("Percent", "Pods")))
    if value <= 0:
        errors.append(fe.invalid(f"{path}.value", value, _POSITIVE))
    if period <= 0:
        errors.append(fe.invalid(f"{path}.periodSeconds", period, _POSITIVE))
    if period > _MAX_PERIOD:
        errors.append(fe.invalid(f"{path}.periodSeconds", period, f"must be less than or equal to {_MAX_PERIOD}"))
    return errors
