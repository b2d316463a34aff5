"""ResourceSlices and DeviceTaintRules of dynamic resource allocation."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_name
from kctl.kube_apiserver.registry.resource.claims import driver_name
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Spec = dict[str, Any]
MAX_DEVICES = 128
MAX_ATTRIBUTES = 32
_SCOPES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_VALUES = ("int", "bool", "string", "version")


class ResourceSliceStrategy(Strategy):
    returns_deleted_object = True
    unknown_field_message = "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice"
    selectable_fields = {
        "spec.nodeName": lambda obj: str(objects.spec(obj).get("nodeName") or ""),
        "spec.driver": lambda obj: str(objects.spec(obj).get("driver") or ""),
    }

    def default(self, context: Context, obj: Object) -> None:
        for device in objects.spec(obj).get("devices") or ():
            for taint in (device.get("basic") or device).get("taints") or ():
                if taint.get("timeAdded") is None:
                    taint["timeAdded"] = times.rfc3339(context.now)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        given = [name for name in _SCOPES if spec.get(name)]
        errors: list[FieldError] = []
        if spec.get("nodeName"):
            errors += names.errors("spec.nodeName", spec["nodeName"], names.dns1123_subdomain)
        required = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
        if not given:
            errors.append(field_errors.required("spec", required))
        elif len(given) > 1:
            shown = "{" + ", ".join(f"`{name}`" for name in given) + "}"
            why = required + ", but multiple fields are set"
            errors.append(FieldError("Invalid value", "spec", f'Invalid value: "{shown}": {why}'))
        errors += driver_name("spec.driver", spec.get("driver") or "")
        errors += _pool(spec.get("pool") or {}, "spec.pool")
        devices, path = spec.get("devices") or [], "spec.devices"
        if len(devices) > MAX_DEVICES:
            errors.append(field_errors.too_many(path, len(devices), MAX_DEVICES))
        seen: set[str] = set()
        for index, device in enumerate(devices):
            name = device.get("name") or ""
            errors += _device(device, f"{path}[{index}]")
            if name and name in seen:
                errors.append(field_errors.duplicate(f"{path}[{index}].name", name))
            seen.add(name)
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj), objects.spec(old)
        errors = self.validate(context, obj)
        pool, earlier = new.get("pool") or {}, before.get("pool") or {}
        for name in ("driver", "nodeName", "allNodes", "nodeSelector"):
            errors += field_checks.immutable(f"spec.{name}", new.get(name), before.get(name))
        return errors + field_checks.immutable("spec.pool.name", pool.get("name"), earlier.get("name"))


def _pool(pool: Spec, path: str) -> list[FieldError]:
    name = pool.get("name") or ""
    if not name:
        errors = [field_errors.required(f"{path}.name")]
    else:
        errors = [field_errors.too_long(f"{path}.name", 253)] if len(name) > 253 else []
        for part in name.split("/"):
            errors += names.errors(f"{path}.name", part, names.dns1123_subdomain)
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        errors.append(field_errors.invalid(f"{path}.resourceSliceCount", count, "must be greater than zero"))
    return errors + field_checks.non_negative(f"{path}.generation", generation)


def _device(device: Spec, path: str) -> list[FieldError]:
    errors = field_checks.required_name(f"{path}.name", device.get("name"), names.dns1123_label)
    body, here = (device["basic"], f"{path}.basic") if device.get("basic") else (device, path)
    attributes, capacity = body.get("attributes") or {}, body.get("capacity") or {}
    if len(attributes) + len(capacity) > MAX_ATTRIBUTES:
        why = f"the total number of attributes and capacities must not exceed {MAX_ATTRIBUTES}"
        errors.append(field_errors.invalid(here, len(attributes) + len(capacity), why))
    for key in sorted(attributes):
        where = f"{here}.attributes[{key}]"
        errors += qualified(key, where)
        given = [name for name in _VALUES if attributes[key].get(name) is not None]
        if not given:
            errors.append(field_errors.required(where, "exactly one value must be specified"))
        elif len(given) > 1:
            errors.append(field_errors.invalid(where, attributes[key], "exactly one value must be specified"))
    for key in sorted(capacity):
        errors += qualified(key, f"{here}.capacity[{key}]")
    for index, taint in enumerate(body.get("taints") or ()):
        errors += taint_errors(taint, f"{here}.taints[{index}]")
    return errors


def qualified(key: str, path: str) -> list[FieldError]:
    """[domain/]C identifier."""
    domain, slash, name = key.rpartition("/")
    errors: list[FieldError] = []
    if slash:
        errors += field_checks.required_name(path, domain, names.dns1123_subdomain, "the domain must not be empty")
    if not name:
        return [*errors, field_errors.required(path, "the name must not be empty")]
    if len(name) > 32:
        errors.append(field_errors.too_long(path, 32))
    return errors + names.errors(path, name, names.c_identifier)


def taint_errors(taint: Spec, path: str) -> list[FieldError]:
    errors = validate_label_name(taint.get("key") or "", f"{path}.key")
    if taint.get("value"):
        errors += names.errors(f"{path}.value", taint["value"], names.label_value)
    return errors + field_checks.required_enum(f"{path}.effect", taint.get("effect"), _EFFECTS)


class DeviceTaintRuleStrategy(Strategy):
    returns_deleted_object = True

    def default(self, context: Context, obj: Object) -> None:
        taint = obj.setdefault("spec", {}).setdefault("taint", {})
        if taint.get("timeAdded") is None:
            taint["timeAdded"] = times.rfc3339(context.now)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        selector = spec.get("deviceSelector") or {}
        errors: list[FieldError] = []
        if selector.get("driver"):
            errors += driver_name("spec.deviceSelector.driver", selector["driver"])
        return errors + taint_errors(spec.get("taint") or {}, "spec.taint")


SLICE = ResourceSliceStrategy()
TAINT_RULE = DeviceTaintRuleStrategy()
