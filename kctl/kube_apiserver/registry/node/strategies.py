"""The strategies of node.k8s.io: RuntimeClasses."""

from __future__ import annotations

from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.core.pod_resources_validation import validate_overhead
from kctl.kube_apiserver.registry.core.pod_scheduling_validation import validate_tolerations
from kctl.kube_apiserver.registry.label_selector_validation import validate_labels
from kctl.kube_apiserver.registry.rules.language import field, optional, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class RuntimeClassStrategy(RuledStrategy):
    allow_unconditional_update = False
    has_generation = False
    rules = struct(
        field("handler", names.dns1123_label, immutable=True),
        field("overhead", struct(optional("podFixed", lambda value, path: validate_overhead(value, path.removesuffix(".podFixed"))))),
        field("scheduling", struct(field("nodeSelector", validate_labels, zero=None), field("tolerations", validate_tolerations, zero=()))),
    )

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return self.rules.changes(obj, old)


STRATEGIES: dict[str, Strategy] = {"runtimeclasses.node.k8s.io": RuntimeClassStrategy()}
