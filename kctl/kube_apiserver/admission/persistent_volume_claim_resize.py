"""PersistentVolumeClaimResize: a claim grows only where its StorageClass allows it, and only once it is bound."""

from __future__ import annotations

from fractions import Fraction

from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_CLASSES = built_in("storage.k8s.io/v1", "StorageClass")
_NAMED = "volume.beta.kubernetes.io/storage-class"


class PersistentVolumeClaimResize(AdmissionPlugin):
    name = "PersistentVolumeClaimResize"
    operations = ("UPDATE",)

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        if old is None or _size(obj) <= _size(old):
            return
        if objects.status(old).get("phase") != "Bound":
            raise forbidden("", "persistentvolumeclaims", operation.name, "Only bound persistent volume claims can be expanded")
        name = _class_name(obj)
        storage_class = context.get(_CLASSES, "", name) if name and name == _class_name(old) else None
        if not (storage_class or {}).get("allowVolumeExpansion"):
            why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
            raise forbidden("", "persistentvolumeclaims", operation.name, why)


def _size(claim: Object) -> Fraction:
    return quantity.parse(((objects.spec(claim).get("resources") or {}).get("requests") or {}).get("storage", "0"))


def _class_name(claim: Object) -> str:
    return str(objects.annotations(claim).get(_NAMED) or objects.spec(claim).get("storageClassName") or "")


PLUGIN = PersistentVolumeClaimResize()
