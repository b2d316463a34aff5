"""VolumeAttachments: a spec that never changes and a status the attacher writes."""

from __future__ import annotations

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.storage.classes import csi_driver_name
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


class VolumeAttachmentStrategy(Strategy):
    returns_deleted_object = True
    allow_unconditional_update = False
    has_generation = False

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            field_checks.keep_metadata(obj, old)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = csi_driver_name("spec.attacher", spec.get("attacher") or "")
        source = spec.get("source") or {}
        inline, name = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
        if inline is None and name is None:
            errors.append(field_errors.required("spec.source", _ONE_SOURCE))
        elif inline is not None and name is not None:
            errors.append(field_errors.forbidden("spec.source", _ONE_SOURCE))
        elif name is not None and not name:
            errors.append(
                field_errors.required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName")
            )
        elif name:
            errors += names.errors("spec.source.persistentVolumeName", name, names.dns1123_subdomain)
        return errors + names.errors("spec.nodeName", spec.get("nodeName") or "", names.dns1123_subdomain)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        if objects.spec(obj) != objects.spec(old):
            return [field_errors.invalid("spec", objects.spec(obj), "field is immutable")]
        return []


STRATEGY = VolumeAttachmentStrategy()
