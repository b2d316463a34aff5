"""TaintNodesByCondition: a new node takes no pods before the node lifecycle controller has seen it ready."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

NOT_READY = "node.kubernetes.io/not-ready"


class TaintNodesByCondition(AdmissionPlugin):
    name = "TaintNodesByCondition"
    operations = ("CREATE",)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        taints = objects.spec(obj).get("taints") or []
        if not any(taint.get("key") == NOT_READY and taint.get("effect") == "NoSchedule" for taint in taints):
            obj["spec"] = {**objects.spec(obj), "taints": [*taints, {"key": NOT_READY, "effect": "NoSchedule"}]}


PLUGIN = TaintNodesByCondition()
