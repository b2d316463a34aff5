"""DefaultStorageClass: a new claim that names no class gets the one marked as default, the newest of several."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, newest
from kctl.kube_apiserver.registry.strategy import Context

_CLASSES = built_in("storage.k8s.io/v1", "StorageClass")
_NAMED = "volume.beta.kubernetes.io/storage-class"
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


class DefaultStorageClass(AdmissionPlugin):
    name = "DefaultStorageClass"
    operations = ("CREATE",)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        if obj["spec"].get("storageClassName") is not None or _NAMED in objects.annotations(obj):
            return
        defaults = [each for each in context.list(_CLASSES, "") if any(objects.annotations(each).get(key) == "true" for key in _DEFAULT)]
        if defaults:
            obj["spec"]["storageClassName"] = objects.name(newest(defaults))


PLUGIN = DefaultStorageClass()
