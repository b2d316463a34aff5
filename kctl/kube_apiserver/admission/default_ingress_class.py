"""DefaultIngressClass: a new Ingress that names no class gets the one marked as default, the newest of several."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, newest
from kctl.kube_apiserver.registry.strategy import Context

_CLASSES = built_in("networking.k8s.io/v1", "IngressClass")
_NAMED = "kubernetes.io/ingress.class"
_DEFAULT = "ingressclass.kubernetes.io/is-default-class"


class DefaultIngressClass(AdmissionPlugin):
    name = "DefaultIngressClass"
    operations = ("CREATE",)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        spec = objects.spec(obj)
        if spec.get("ingressClassName") is not None or _NAMED in objects.annotations(obj):
            return
        defaults = [each for each in context.list(_CLASSES, "") if objects.annotations(each).get(_DEFAULT) == "true"]
        if defaults:
            obj["spec"] = {**spec, "ingressClassName": objects.name(newest(defaults))}


PLUGIN = DefaultIngressClass()
