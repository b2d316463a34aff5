"""ConfigMaps: keys, size, `immutable`."""

from __future__ import annotations

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

MAX_SIZE_BYTES = 1024 * 1024
IMMUTABLE_SET = "field is immutable when `immutable` is set"


def immutable_errors(obj: Object, old: Object, fields: tuple[str, ...]) -> list[FieldError]:
    """Once `immutable` is true neither it nor the data changes."""
    if not old.get("immutable"):
        return []
    errors: list[FieldError] = []
    if not obj.get("immutable"):
        errors.append(field_errors.forbidden("immutable", IMMUTABLE_SET))
    for name in fields:
        if not field_checks.same(obj.get(name), old.get(name)):
            errors.append(field_errors.forbidden(name, IMMUTABLE_SET))
    return errors


class ConfigMapStrategy(Strategy):
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        errors: list[FieldError] = []
        size = 0
        for key in sorted(data):
            errors += names.errors(f"data[{key}]", key, names.config_map_key)
            if key in binary:
                errors.append(field_errors.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
            size += len(data[key].encode())
        for key in sorted(binary):
            errors += names.errors(f"binaryData[{key}]", key, names.config_map_key)
            size += field_checks.base64_size(binary[key])
        if size > MAX_SIZE_BYTES:
            errors.append(field_errors.too_long("[]", MAX_SIZE_BYTES))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return immutable_errors(obj, old, ("data", "binaryData")) + self.validate(context, obj)


STRATEGY = ConfigMapStrategy()
