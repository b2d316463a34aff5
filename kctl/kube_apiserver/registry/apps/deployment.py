"""Deployments."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import enums
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.apps.replicaset import replicated_template
from kctl.kube_apiserver.registry.rules.checks import non_negative
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct
from kctl.kube_apiserver.registry.strategy import Context

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


def _keep_labels(meta: dict[str, Any], before: dict[str, Any]) -> None:
    """A status write does not change the labels either."""
    if "labels" in before:
        meta["labels"] = before["labels"]
    else:
        meta.pop("labels", None)


def _deadline(spec: Any, path: str) -> list[FieldError]:
    deadline = spec.get("progressDeadlineSeconds")
    late = deadline is not None and deadline <= (spec.get("minReadySeconds") or 0)
    return [fe.invalid(f"{path}.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")] if late else []


def _update_strategy(strategy: Any, path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        why = "may not be specified when strategy `type` is 'Recreate'"
        return [] if rolling is None else [fe.forbidden(f"{path}.rollingUpdate", why)]
    if kind != "RollingUpdate":
        return [fe.unsupported(path, go_form("apps.v1.DeploymentStrategy", strategy), enums.of("DeploymentStrategy.type"))]
    if rolling is None:
        return [fe.required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    here = f"{path}.rollingUpdate"
    errors = rules.int_or_percent(unavailable, f"{here}.maxUnavailable")
    errors += rules.int_or_percent(surge, f"{here}.maxSurge")
    if rules.amount(unavailable) == 0 and rules.amount(surge) == 0:
        errors.append(fe.invalid(f"{here}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return errors + rules.not_more_than_100_percent(unavailable, f"{here}.maxUnavailable")


_SPEC = struct(
    pointer("replicas", non_negative, default=1),
    replicated_template,
    field("strategy", _update_strategy, rules.rolling_defaults({"maxUnavailable": "25%", "maxSurge": "25%"}), default={}, zero={}),
    field("minReadySeconds", non_negative),
    pointer("revisionHistoryLimit", non_negative, default=10),
    pointer("progressDeadlineSeconds", non_negative, default=600),
    _deadline,
)


class DeploymentStrategy(rules.WorkloadStrategy):
    """A change of the annotations counts as a new generation too: they are copied to the ReplicaSets."""

    rules = struct(field("spec", _SPEC, default={}))

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        meta, before = obj["metadata"], old["metadata"]
        if context.subresource == "status":
            _keep_labels(meta, before)
        if context.subresource:
            return
        if (meta.get("annotations") or {}) != (before.get("annotations") or {}):
            meta["generation"] = before.get("generation", 0) + 1

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        status, before = obj.get("status") or {}, old.get("status") or {}
        errors = rules.status_counts(status, *_COUNTS)
        errors += rules.collision_count(status, before)
        errors += rules.not_above(status, "replicas", _ABOVE, "updatedReplicas", "readyReplicas", "availableReplicas")
        return errors + rules.not_above(status, "readyReplicas", "cannot be greater than readyReplicas", "availableReplicas")
