"""The strategies of node.k8s.io: RuntimeClasses."""

from __future__ import annotations

from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.pod_resources_validation import validate_overhead
from kctl.kube_apiserver.registry.core.pod_scheduling_validation import validate_tolerations
from kctl.kube_apiserver.registry.label_selector_validation import validate_labels
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class RuntimeClassStrategy(Strategy):
    allow_unconditional_update = False
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = names.errors("handler", obj.get("handler") or "", names.dns1123_label)
        overhead = (obj.get("overhead") or {}).get("podFixed")
        if overhead:
            errors += validate_overhead(overhead, "overhead")
        scheduling = obj.get("scheduling") or {}
        errors += validate_labels(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
        return errors + validate_tolerations(scheduling.get("tolerations") or (), "scheduling.tolerations")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return field_checks.immutable("handler", obj.get("handler"), old.get("handler"))


STRATEGIES: dict[str, Strategy] = {"runtimeclasses.node.k8s.io": RuntimeClassStrategy()}
