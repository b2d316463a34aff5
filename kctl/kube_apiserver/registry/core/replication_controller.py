"""ReplicationControllers: ReplicaSets with a plain map as selector, which defaults to the template's labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.apps.replicaset import validate_replica_status
from kctl.kube_apiserver.registry.core.pod_defaults import default_pod_template
from kctl.kube_apiserver.registry.strategy import Context


class ReplicationControllerStrategy(rules.WorkloadStrategy):
    default_propagation_policy = "Orphan"
    selectable_fields: Mapping[str, Callable[[Object], str]] = {
        "status.replicas": lambda obj: str((obj.get("status") or {}).get("replicas") or 0)
    }

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        template = spec.get("template")
        if template is not None:
            default_pod_template(template)
            labels = dict(rules.template_labels(template))
            if labels:
                if not spec.get("selector"):
                    spec["selector"] = labels
                if not obj["metadata"].get("labels"):
                    obj["metadata"]["labels"] = dict(labels)
        if spec.get("replicas") is None:
            spec["replicas"] = 1

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        errors = rules.non_negative(spec, "spec", "minReadySeconds")
        if not spec.get("selector"):
            errors.append(fe.required("spec.selector"))
        errors += rules.non_negative(spec, "spec", "replicas")
        template = spec.get("template")
        if template is None:
            return [*errors, fe.required("spec.template")]
        if spec.get("selector"):
            own = dict(rules.template_labels(template))
            if any(own.get(key) != value for key, value in spec["selector"].items()):
                shown = dict(sorted(own.items())) or None
                errors.append(fe.invalid("spec.template.metadata.labels", shown, rules.MISMATCH))
        controller = "ReplicationController"
        return errors + rules.validate_template(template, spec.get("replicas") or 0, controller, "spec.template")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return [] if obj["spec"] == old["spec"] else self.validate(context, obj)

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return validate_replica_status(obj.get("status") or {})


STRATEGY = ReplicationControllerStrategy()
