"""VolumeAttachments: a spec that never changes and a status the attacher writes."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.storage.classes import csi_driver_name
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
_MAX_METADATA = 256 * 1024
_MAX_MESSAGE = 1024


class VolumeAttachmentStrategy(Strategy):
    returns_deleted_object = True
    allow_unconditional_update = False
    has_generation = False

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            field_checks.keep_metadata(obj, old)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        """Of all versions, then of v1: a missing attacher is found by both."""
        spec = objects.spec(obj)
        name = (spec.get("source") or {}).get("persistentVolumeName")
        errors = _common(obj) + csi_driver_name("spec.attacher", spec.get("attacher") or "")
        if name is not None:
            errors += names.errors("spec.source.persistentVolumeName", name, names.dns1123_subdomain)
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = _common(obj)
        if objects.spec(obj) != objects.spec(old):
            shown = go_form("storage.v1.VolumeAttachmentSpec", objects.spec(obj))
            errors.append(field_errors.invalid("spec", shown, field_checks.IMMUTABLE))
        return errors

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return _common(obj)


def _common(obj: Object) -> list[FieldError]:
    spec = objects.spec(obj)
    errors = field_checks.required("spec.attacher", spec.get("attacher"))
    source = spec.get("source") or {}
    inline, name = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and name is None:
        errors.append(field_errors.required("spec.source", _ONE_SOURCE))
    elif inline is not None and name is not None:
        errors.append(field_errors.forbidden("spec.source", _ONE_SOURCE))
    elif inline is None and not name:
        why = "must specify non empty persistentVolumeName"
        errors.append(field_errors.required("spec.source.persistentVolumeName", why))
    errors += names.errors("spec.nodeName", spec.get("nodeName") or "", names.dns1123_subdomain)
    return errors + _status(objects.status(obj))


def _status(status: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    if field_checks.annotations_size(status.get("attachmentMetadata")) > _MAX_METADATA:
        errors.append(field_errors.too_long("status.attachmentMetadata", _MAX_METADATA))
    for field in ("attachError", "detachError"):
        problem = status.get(field) or {}
        if len((problem.get("message") or "").encode()) > _MAX_MESSAGE:
            errors.append(field_errors.too_long(f"status.{field}.message", _MAX_METADATA))
        code = problem.get("errorCode")
        if code is not None and code < 0:
            errors.append(field_errors.invalid(f"status.{field}.errorCode", code, names.in_range(0, 2**31 - 1)))
    return errors


STRATEGY = VolumeAttachmentStrategy()
