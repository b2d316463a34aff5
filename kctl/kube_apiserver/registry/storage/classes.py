"""StorageClasses and VolumeAttributesClasses."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import enums
from kctl.apimachinery.schema.patch_meta import identity
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_name
from kctl.kube_apiserver.registry.rules.language import each, field, optional, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

_MAX_PARAMETERS = 512
_MAX_PARAMETER_BYTES = 256 * 1024


def _parameters(given: dict[str, str], path: str) -> list[FieldError]:
    if len(given) > _MAX_PARAMETERS:
        return [field_errors.too_long(path, _MAX_PARAMETERS)]
    errors = [field_errors.invalid(path, "", "field can not be empty.")] if "" in given else []
    size = sum(len(key.encode()) + len(value.encode()) for key, value in given.items())
    return [*errors, field_errors.too_long(path, _MAX_PARAMETER_BYTES)] if size > _MAX_PARAMETER_BYTES else errors


def _provisioner(name: str, path: str) -> list[FieldError]:
    return names.errors(path, name.lower(), names.qualified_name)


def _frozen(field_name: str) -> str:
    return f"updates to {field_name} are forbidden."


def _topologies(terms: list[dict[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[Any] = set()
    for index, term in enumerate(terms):
        here = f"{path}[{index}].matchLabelExpressions"
        keys: dict[str, list[str]] = {}
        for number, expression in enumerate(term.get("matchLabelExpressions") or ()):
            errors += _EXPRESSION.errors_at(expression, f"{here}[{number}]")
            if expression.get("key") in keys:
                errors.append(field_errors.duplicate(f"{here}[{number}].key", expression["key"]))
            keys[expression.get("key") or ""] = sorted(set(expression.get("values") or ()))
        same = identity(keys)
        if same in seen:
            errors.append(field_errors.duplicate(here, ""))
        seen.add(same)
    return errors


_EXPRESSION = struct(field("values", each(unique=True), required=True), field("key", validate_label_name))


class StorageClassStrategy(RuledStrategy):
    returns_deleted_object = True
    has_generation = False
    rules = struct(
        field("provisioner", _provisioner, required=True),
        field("parameters", _parameters, immutable=_frozen("parameters"), zero={}),
        field("provisioner", immutable=_frozen("provisioner")),
        pointer("reclaimPolicy", default="Delete", immutable=_frozen("reclaimPolicy")),
        optional("reclaimPolicy", enum=("Delete", "Retain")),
        pointer("volumeBindingMode", enum=enums.of("StorageClass.volumeBindingMode"), default="Immediate", immutable=True),
        field("allowedTopologies", _topologies, zero=()),
    )


class VolumeAttributesClassStrategy(RuledStrategy):
    returns_deleted_object = True
    has_generation = False
    rules = struct(
        field("driverName", _provisioner, required=True, immutable=_frozen("driverName")),
        field("parameters", _parameters, required="must contain at least one key/value pair", immutable=_frozen("parameters"), zero={}),
    )

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return self.rules.changes(obj, old) + self.rules.errors(obj)


STORAGE_CLASS = StorageClassStrategy()
VOLUME_ATTRIBUTES_CLASS = VolumeAttributesClassStrategy()
