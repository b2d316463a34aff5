"""VolumeAttachments: a spec that never changes and a status the attacher writes."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.rules.checks import between, driver_name
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
_MAX_METADATA = 256 * 1024
_MAX_MESSAGE = 1024


def _source(source: Any, path: str) -> list[FieldError]:
    inline, name = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and name is None:
        return [field_errors.required(path, _ONE_SOURCE)]
    if inline is not None and name is not None:
        return [field_errors.forbidden(path, _ONE_SOURCE)]
    why = "must specify non empty persistentVolumeName"
    return [field_errors.required(f"{path}.persistentVolumeName", why)] if inline is None and not name else []


def _message(message: str, path: str) -> list[FieldError]:
    """Upstream names the limit of the metadata."""
    return [field_errors.too_long(path, _MAX_METADATA)] if len(message.encode()) > _MAX_MESSAGE else []


def _metadata(metadata: Any, path: str) -> list[FieldError]:
    return [field_errors.too_long(path, _MAX_METADATA)] if field_checks.annotations_size(metadata) > _MAX_METADATA else []


_PROBLEM = struct(field("message", _message), pointer("errorCode", between(0, 2**31 - 1)))
_ALL_VERSIONS = struct(
    field("spec", struct(field("attacher", required=True), field("source", _source, zero={}), field("nodeName", names.dns1123_subdomain))),
    field(
        "status",
        struct(field("attachmentMetadata", _metadata, zero={}), pointer("attachError", _PROBLEM), pointer("detachError", _PROBLEM)),
    ),
)
_V1 = struct(
    field("spec", struct(field("attacher", driver_name), field("source", struct(pointer("persistentVolumeName", names.dns1123_subdomain)))))
)


class VolumeAttachmentStrategy(RuledStrategy):
    returns_deleted_object = True
    allow_unconditional_update = False
    has_generation = False
    rules = status_rules = _ALL_VERSIONS
    status_keeps_metadata = True

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        """Of all versions, then of v1: a missing attacher is found by both."""
        return self.rules.errors(obj) + _V1.errors(obj)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.rules.errors(obj)
        if objects.spec(obj) != objects.spec(old):
            shown = go_form("storage.v1.VolumeAttachmentSpec", objects.spec(obj))
            errors.append(field_errors.invalid("spec", shown, field_checks.IMMUTABLE))
        return errors


STRATEGY = VolumeAttachmentStrategy()
