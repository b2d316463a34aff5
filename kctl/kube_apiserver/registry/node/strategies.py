"""The strategies of node.k8s.io: RuntimeClasses."""

from __future__ import annotations

from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.limit_range import container_resource_name
from kctl.kube_apiserver.registry.label_selector_validation import validate_labels
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class RuntimeClassStrategy(Strategy):
    allow_unconditional_update = False
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = names.errors("handler", obj.get("handler") or "", names.dns1123_label)
        fixed = (obj.get("overhead") or {}).get("podFixed") or {}
        for name in sorted(fixed):
            path = f"overhead.podFixed.limits[{name}]"
            errors += container_resource_name(path, name) + field_checks.resource_value(path, name, fixed[name])
        return errors + validate_labels((obj.get("scheduling") or {}).get("nodeSelector"), "scheduling.nodeSelector")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return field_checks.immutable("handler", obj.get("handler"), old.get("handler"))


STRATEGIES: dict[str, Strategy] = {"runtimeclasses.node.k8s.io": RuntimeClassStrategy()}
