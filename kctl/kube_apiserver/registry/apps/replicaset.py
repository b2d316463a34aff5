"""ReplicaSets."""

from __future__ import annotations

from collections.abc import Mapping

from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.core.pod_defaults import default_pod_template
from kctl.kube_apiserver.registry.core.pod_warnings import template_warnings
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_COUNTS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "terminatingReplicas", "observedGeneration")
_ABOVE = "cannot be greater than status.replicas"


def validate_replica_status(status: Mapping[str, object]) -> list[FieldError]:
    """The counts of a ReplicaSet's or ReplicationController's status."""
    errors = rules.status_counts(status, *_COUNTS)
    fields = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    errors += rules.not_above(status, "replicas", _ABOVE, *fields)
    return errors + rules.not_above(status, "readyReplicas", "cannot be greater than readyReplicas", "availableReplicas")


class ReplicaSetStrategy(Strategy):
    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        if spec.get("replicas") is None:
            spec["replicas"] = 1

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        errors = rules.non_negative(spec, "spec", "replicas", "minReadySeconds")
        found, usable = rules.validate_selector(spec.get("selector"), "deployment", "spec.selector", "invalid label selector")
        errors += found
        if usable:
            template = spec.get("template")
            errors += rules.selector_mismatch(spec.get("selector"), template, "spec.template")
            errors += rules.validate_template(template, spec.get("replicas") or 0, "ReplicaSet", "spec.template")
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        if obj["spec"] == old["spec"]:
            return []
        return self.validate(context, obj) + rules.immutable_selector(obj["spec"], old["spec"])

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return validate_replica_status(obj.get("status") or {})

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        return rules.name_warnings(obj["metadata"]) + template_warnings(obj["spec"].get("template"), "spec.template")

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        if context.subresource or obj["spec"].get("template") == old["spec"].get("template"):
            return []
        return template_warnings(obj["spec"].get("template"), "spec.template")
