"""ReplicationControllers: ReplicaSets with a plain map as selector, which defaults to the template's labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.apps.replicaset import validate_replica_status
from kctl.kube_apiserver.registry.core.pod_defaults import default_pod_template
from kctl.kube_apiserver.registry.rules.checks import non_negative
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct
from kctl.kube_apiserver.registry.strategy import Context


def _template(spec: Any, path: str) -> list[FieldError]:
    selector, template = spec.get("selector"), spec.get("template")
    if template is None:
        return [fe.required(f"{path}.template")]
    own = rules.template_labels(template)
    errors: list[FieldError] = []
    if any(own.get(key) != value for key, value in (selector or {}).items()):
        errors.append(fe.invalid(f"{path}.template.metadata.labels", dict(sorted(own.items())) or None, rules.MISMATCH))
    return errors + rules.validate_template(template, spec.get("replicas") or 0, "ReplicationController", f"{path}.template")


_SPEC = struct(
    field("minReadySeconds", non_negative),
    field("selector", required=True),
    pointer("replicas", non_negative, default=1),
    _template,
)


class ReplicationControllerStrategy(rules.WorkloadStrategy):
    default_propagation_policy = "Orphan"
    selectable_fields: Mapping[str, Callable[[Object], str]] = {
        "status.replicas": lambda obj: str((obj.get("status") or {}).get("replicas") or 0)
    }
    rules = struct(field("spec", _SPEC, default={}))

    def default(self, context: Context, obj: Object) -> None:
        self.rules.default(obj)
        spec = obj["spec"]
        if spec.get("template") is None:
            return
        default_pod_template(spec["template"])
        labels = dict(rules.template_labels(spec["template"]))
        if labels and not spec.get("selector"):
            spec["selector"] = labels
        if labels and not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return [] if obj["spec"] == old["spec"] else self.validate(context, obj)

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return validate_replica_status(obj.get("status") or {})


STRATEGY = ReplicationControllerStrategy()
