"""HorizontalPodAutoscalers, stored as autoscaling/v2."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object, deep_copy
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.autoscaling.metric_validation import METRICS, REFERENCE
from kctl.kube_apiserver.registry.rules.checks import at_least, at_most, non_negative, number
from kctl.kube_apiserver.registry.rules.language import each, field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

_DEFAULT_METRICS = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]
_SCALE_UP: dict[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_SCALE_DOWN: dict[str, Any] = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}
_POSITIVE = number(lambda value: value > 0, "must be greater than zero")
_MAX_WINDOW = 3600
_MAX_PERIOD = 1800


def _replicas(spec: Any, path: str) -> list[FieldError]:
    low, high = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    errors = [fe.required(f"{path}.maxReplicas", "must be set and greater than 0")] if high < 1 else []
    if low is not None and high < low:
        errors.append(fe.invalid(f"{path}.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    return errors


def _api_version(reference: Any, path: str) -> list[FieldError]:
    value, here = reference.get("apiVersion") or "", f"{path}.apiVersion"
    if value.count("/") > 1:
        return [fe.invalid(here, value, f"unexpected GroupVersion string: {value}")]
    if "/" not in value and not (value == "v1" and reference.get("kind") == "ReplicationController"):
        return [fe.invalid(here, value, "apiVersion must specify API group")]
    return []


def _scale_to_zero(spec: Any, path: str) -> list[FieldError]:
    if spec.get("minReplicas") != 0 or any(metric.get("type") in ("Object", "External") for metric in spec.get("metrics") or ()):
        return []
    why = "must specify at least one Object or External metric to support scaling to zero replicas"
    return [fe.forbidden(f"{path}.metrics", why)]


_POLICY = struct(
    field("type", enum=enums.of("HPAScalingPolicy.type")),
    field("value", _POSITIVE),
    field("periodSeconds", _POSITIVE, at_most(_MAX_PERIOD, f"must be less than or equal to {_MAX_PERIOD}")),
)
_WINDOW = (at_least(0, "must be greater than or equal to zero"), at_most(_MAX_WINDOW, f"must be less than or equal to {_MAX_WINDOW}"))
_SCALING = struct(
    pointer("stabilizationWindowSeconds", *_WINDOW),
    pointer("selectPolicy", enum=enums.of("HPAScalingRules.selectPolicy")),
    field("policies", each(_POLICY), required="must specify at least one Policy"),
)
_SPEC = struct(
    pointer("minReplicas", at_least(1), default=1),
    _replicas,
    field("scaleTargetRef", REFERENCE, _api_version),
    field("metrics", METRICS, default=lambda spec: deep_copy(_DEFAULT_METRICS)),
    _scale_to_zero,
    field("behavior", struct(pointer("scaleUp", _SCALING), pointer("scaleDown", _SCALING))),
)


class HorizontalPodAutoscalerStrategy(RuledStrategy):
    has_generation = False
    rules = struct(field("spec", _SPEC, default={}))
    status_rules = struct(field("status", struct(field("currentReplicas", non_negative), field("desiredReplicas", non_negative))))

    def default(self, context: Context, obj: Object) -> None:
        super().default(context, obj)
        behavior = obj["spec"].get("behavior")
        if behavior is not None:
            for name, defaults in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
                given = {key: value for key, value in (behavior.get(name) or {}).items() if value is not None}
                behavior[name] = {**deep_copy(defaults), **given}

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return [] if obj["spec"] == old["spec"] else self.validate(context, obj)
