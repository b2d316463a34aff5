"""StorageClasses and VolumeAttributesClasses."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_name
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_MAX_PARAMETERS = 512
_MAX_PARAMETER_BYTES = 256 * 1024


def parameter_errors(parameters: dict[str, str] | None, path: str) -> list[FieldError]:
    given = parameters or {}
    errors: list[FieldError] = []
    if len(given) > _MAX_PARAMETERS:
        return [field_errors.too_long(path, _MAX_PARAMETERS)]
    if "" in given:
        errors.append(field_errors.invalid(path, "", "field can not be empty."))
    if sum(len(key.encode()) + len(value.encode()) for key, value in given.items()) > _MAX_PARAMETER_BYTES:
        errors.append(field_errors.too_long(path, _MAX_PARAMETER_BYTES))
    return errors


def csi_driver_name(path: str, name: str) -> list[FieldError]:
    errors = field_checks.required(path, name)
    if len(name) > 63:
        errors.append(field_errors.too_long(path, 63))
    return errors + [field_errors.invalid(path, name, why) for why in names.dns1123_subdomain(name.lower())]


def _provisioner(path: str, name: str) -> list[FieldError]:
    if not name:
        return [field_errors.required(path)]
    return names.errors(path, name.lower(), names.qualified_name)


class StorageClassStrategy(Strategy):
    returns_deleted_object = True
    has_generation = False

    def default(self, context: Context, obj: Object) -> None:
        obj.setdefault("reclaimPolicy", "Delete")
        obj.setdefault("volumeBindingMode", "Immediate")

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = _provisioner("provisioner", obj.get("provisioner") or "")
        errors += parameter_errors(obj.get("parameters"), "parameters")
        if obj.get("reclaimPolicy"):
            errors += field_checks.enum("reclaimPolicy", obj["reclaimPolicy"], ("Delete", "Retain"))
        modes = ("Immediate", "WaitForFirstConsumer")
        errors += field_checks.enum("volumeBindingMode", obj.get("volumeBindingMode") or "", modes)
        return errors + _topologies(obj.get("allowedTopologies"))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        for name in ("parameters", "provisioner", "reclaimPolicy"):
            if not field_checks.same(obj.get(name), old.get(name)):
                errors.append(field_errors.forbidden(name, f"updates to {name} are forbidden."))
        return errors + field_checks.immutable("volumeBindingMode", obj.get("volumeBindingMode"), old.get("volumeBindingMode"))


def _topologies(terms: list[dict[str, Any]] | None) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: list[Any] = []
    for index, term in enumerate(terms or ()):
        path = f"allowedTopologies[{index}]"
        keys: dict[str, list[str]] = {}
        for number, expression in enumerate(term.get("matchLabelExpressions") or ()):
            here = f"{path}.matchLabelExpressions[{number}]"
            values = expression.get("values") or []
            if not values:
                errors.append(field_errors.required(f"{here}.values"))
            errors += field_checks.unique(f"{here}.values", values)
            errors += validate_label_name(expression.get("key") or "", f"{here}.key")
            if expression.get("key") in keys:
                errors.append(field_errors.duplicate(f"{here}.key", expression["key"]))
            keys[expression.get("key") or ""] = sorted(set(values))
        if keys in seen:
            errors.append(field_errors.duplicate(f"{path}.matchLabelExpressions", ""))
        seen.append(keys)
    return errors


class VolumeAttributesClassStrategy(Strategy):
    returns_deleted_object = True
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = _provisioner("driverName", obj.get("driverName") or "")
        errors += parameter_errors(obj.get("parameters"), "parameters")
        if not obj.get("parameters"):
            errors.append(field_errors.required("parameters", "must contain at least one key/value pair"))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        if obj.get("driverName") != old.get("driverName"):
            errors.append(field_errors.forbidden("driverName", "updates to driverName are forbidden."))
        if not field_checks.same(obj.get("parameters"), old.get("parameters")):
            errors.append(field_errors.forbidden("parameters", "updates to parameters are forbidden."))
        return errors + self.validate(context, obj)


STORAGE_CLASS = StorageClassStrategy()
VOLUME_ATTRIBUTES_CLASS = VolumeAttributesClassStrategy()
