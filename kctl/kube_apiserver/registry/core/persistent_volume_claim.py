"""PersistentVolumeClaims: a spec that is immutable but for growth of bound claims, data sources, the protection finalizer."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, objects, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.claim_rules import CLAIM_SPEC, requests
from kctl.kube_apiserver.registry.core.pod_warnings import resource_warnings
from kctl.kube_apiserver.registry.go_diff import form_diff
from kctl.kube_apiserver.registry.rules.language import field, optional, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

Spec = dict[str, Any]
PROTECTION = "kubernetes.io/pvc-protection"
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
CLASS_ANNOTATION_INSTEAD = 'deprecated since v1.8; use "storageClassName" attribute instead'
_SPEC = "core.v1.PersistentVolumeClaimSpec"
_FROZEN = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"


def _capacity(capacity: dict[str, Any], path: str) -> list[FieldError]:
    return [error for name in sorted(capacity) for error in field_checks.basic_quantity(f"{path}[{name}]", capacity[name])]


class PersistentVolumeClaimStrategy(RuledStrategy):
    has_generation = False
    returns_deleted_object = True
    rules = struct(field("spec", CLAIM_SPEC, default={}))
    status_rules = struct(field("status", struct(optional("capacity", _capacity))))

    def default(self, context: Context, obj: Object) -> None:
        super().default(context, obj)
        if not objects.status(obj).get("phase"):
            obj["status"] = {**objects.status(obj), "phase": "Pending"}
        for name in ("dataSource", "dataSourceRef"):
            source = obj["spec"].get(name)
            if source is not None:
                source.setdefault("apiGroup", None)

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        obj["status"] = {"phase": "Pending"}
        spec = obj["spec"]
        source = spec.get("dataSource")
        if source is not None and not _known_source(source):
            del spec["dataSource"]
        _normalize_sources(spec)
        meta = obj["metadata"]
        if PROTECTION not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), PROTECTION]

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            obj["spec"] = old["spec"]
            return
        obj["status"] = old.get("status") or {}
        if not obj["spec"].get("dataSource") or not obj["spec"].get("dataSourceRef"):
            _normalize_sources(obj["spec"])

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return self.validate(context, obj) + _changes(obj, old)

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        warnings: list[str] = []
        if CLASS_ANNOTATION in objects.annotations(obj):
            warnings.append(f"metadata.annotations[{CLASS_ANNOTATION}]: {CLASS_ANNOTATION_INSTEAD}")
        return [*warnings, *resource_warnings(requests(objects.spec(obj)), "spec.resources.requests")]

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        return self.warnings_on_create(context, obj)


def _known_source(source: dict[str, Any]) -> bool:
    group = source.get("apiGroup") or ""
    return (group, source.get("kind")) in (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))


def _normalize_sources(spec: Spec) -> None:
    """dataSource and dataSourceRef say the same unless the reference names a namespace."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source and not reference:
        spec["dataSourceRef"] = {"apiGroup": source.get("apiGroup"), "kind": source.get("kind"), "name": source.get("name")}
    elif reference and not source and not reference.get("namespace"):
        spec["dataSource"] = {"apiGroup": reference.get("apiGroup"), "kind": reference.get("kind"), "name": reference.get("name")}


def _changes(obj: Object, old: Object) -> list[FieldError]:
    new, before = dict(objects.spec(obj)), dict(objects.spec(old))
    if not before.get("volumeName") and new.get("volumeName"):
        before["volumeName"] = new["volumeName"]
    if before.get("storageClassName") is None and new.get("storageClassName"):
        before["storageClassName"] = new["storageClassName"]
    old_size, new_size = requests(before).get("storage"), requests(new).get("storage")
    if objects.status(obj).get("phase") == "Bound" and requests(new) and old_size is not None:
        new["resources"] = {**new["resources"], "requests": {**requests(new), "storage": old_size}}
    wanted, held = new.get("volumeAttributesClassName"), before.get("volumeAttributesClassName")
    new["volumeAttributesClassName"] = held
    errors: list[FieldError] = []
    left, right = (objects.annotations(side).get(CLASS_ANNOTATION) or "" for side in (obj, old))
    if left != right:
        path = f"metadata.annotations.{CLASS_ANNOTATION}"
        errors.append(field_errors.invalid(path, left, field_checks.IMMUTABLE))
    if go_form(_SPEC, new) != go_form(_SPEC, before):
        errors.append(field_errors.forbidden("spec", _FROZEN + form_diff(_SPEC, before, new)))
    if old_size is not None and new_size is not None and quantity.parse(new_size) < quantity.parse(old_size):
        capacity = (objects.status(old).get("capacity") or {}).get("storage", "0")
        if quantity.parse(new_size) <= quantity.parse(capacity):
            why = "field can not be less than status.capacity"
            errors.append(field_errors.forbidden("spec.resources.requests.storage", why))
    errors += field_checks.immutable("volumeMode", new.get("volumeMode"), before.get("volumeMode"))
    if held is not None and not wanted:
        unset = "nil" if wanted is None else "an empty string"
        why = f"update from non-nil value to {unset} is forbidden"
        errors.append(field_errors.forbidden("spec.volumeAttributesClassName", why))
    return errors


STRATEGY = PersistentVolumeClaimStrategy()
