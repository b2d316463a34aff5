"""PodDisruptionBudgets."""

from __future__ import annotations

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


class PodDisruptionBudgetStrategy(Strategy):
    """Upstream checks the name only as a path segment, and insists on a resourceVersion."""

    allow_unconditional_update = False
    name_validator = "path_segment"

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
        errors: list[FieldError] = []
        if low is not None and high is not None:
            errors.append(
                fe.invalid("spec", go_form("policy.v1.PodDisruptionBudgetSpec", spec), "minAvailable and maxUnavailable cannot be both set")
            )
        for field, value in (("minAvailable", low), ("maxUnavailable", high)):
            if value is not None:
                errors += rules.int_or_percent(value, f"spec.{field}")
                errors += rules.not_more_than_100_percent(value, f"spec.{field}")
        errors += validate_label_selector(spec.get("selector"), "spec.selector")
        policy = spec.get("unhealthyPodEvictionPolicy")
        if policy is not None and policy not in _POLICIES:
            errors.append(fe.unsupported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES))
        return errors

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return rules.status_counts(obj.get("status") or {}, *_COUNTS)
