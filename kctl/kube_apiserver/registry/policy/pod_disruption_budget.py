"""PodDisruptionBudgets."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.rules.checks import non_negative
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.workload_validation import int_or_percent, not_more_than_100_percent


def _one_bound(spec: Any, path: str) -> list[FieldError]:
    if spec.get("minAvailable") is None or spec.get("maxUnavailable") is None:
        return []
    form = go_form("policy.v1.PodDisruptionBudgetSpec", spec)
    return [fe.invalid(path, form, "minAvailable and maxUnavailable cannot be both set")]


_SPEC = struct(
    _one_bound,
    pointer("minAvailable", int_or_percent, not_more_than_100_percent),
    pointer("maxUnavailable", int_or_percent, not_more_than_100_percent),
    pointer("selector", validate_label_selector),
    pointer("unhealthyPodEvictionPolicy", enum=enums.of("PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy")),
)
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


class PodDisruptionBudgetStrategy(RuledStrategy):
    """Upstream checks the name only as a path segment, and insists on a resourceVersion."""

    allow_unconditional_update = False
    name_validator = "path_segment"
    rules = struct(field("spec", _SPEC))
    status_rules = struct(field("status", struct(*(field(name, non_negative) for name in _COUNTS))))
