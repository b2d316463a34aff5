"""ReplicaSets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.rules.checks import non_negative
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct
from kctl.kube_apiserver.registry.strategy import Context

_COUNTS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "terminatingReplicas", "observedGeneration")
_ABOVE = "cannot be greater than status.replicas"


def validate_replica_status(status: Mapping[str, object]) -> list[FieldError]:
    """The counts of a ReplicaSet's or ReplicationController's status."""
    errors = rules.status_counts(status, *_COUNTS)
    fields = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    errors += rules.not_above(status, "replicas", _ABOVE, *fields)
    return errors + rules.not_above(status, "readyReplicas", "cannot be greater than readyReplicas", "availableReplicas")


def replicated_template(spec: Any, path: str) -> list[FieldError]:
    """Of ReplicaSets and Deployments: the selector, and where it is usable the template."""
    selector, template = spec.get("selector"), spec.get("template")
    errors, usable = rules.validate_selector(selector, "deployment", f"{path}.selector", "invalid label selector")
    if not usable:
        return errors
    errors += rules.selector_mismatch(selector, template, f"{path}.template")
    return errors + rules.validate_template(template, spec.get("replicas") or 0, "ReplicaSet", f"{path}.template")


_SPEC = struct(pointer("replicas", non_negative, default=1), field("minReadySeconds", non_negative), replicated_template)


class ReplicaSetStrategy(rules.WorkloadStrategy):
    rules = struct(field("spec", _SPEC, default={}))

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return validate_replica_status(obj.get("status") or {})
