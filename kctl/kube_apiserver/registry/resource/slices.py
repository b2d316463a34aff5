"""ResourceSlices and DeviceTaintRules of dynamic resource allocation."""

from __future__ import annotations

import re
from typing import Any

from kctl.apimachinery import field_errors, names, objects, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_name
from kctl.kube_apiserver.registry.resource.internal_claim import driver_name, qualified
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Spec = dict[str, Any]
MAX_DEVICES = 128
MAX_ADVANCED_DEVICES = 64
MAX_ATTRIBUTES = 32
_SCOPES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_VALUES = ("int", "bool", "string", "version", "ints", "bools", "strings", "versions")
_MAX_VALUE = 64
_NUMBER, _PART = r"(0|[1-9]\d*)", r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = r"[0-9a-zA-Z-]+"
_SEMVER = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+{_BUILD}(\.{_BUILD})*)?")


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
        return _head(spec) + _scope(spec) + _devices(spec)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj), objects.spec(old)
        names_of = ((side.get("pool") or {}).get("name") for side in (new, before))
        errors = _head(new) + field_checks.immutable("spec.pool.name", *names_of)
        for name in ("driver", "nodeName"):
            errors += field_checks.immutable(f"spec.{name}", new.get(name), before.get(name))
        return errors + _scope(new) + _devices(new)


def _head(spec: Spec) -> list[FieldError]:
    return driver_name("spec.driver", spec.get("driver") or "") + _pool(spec.get("pool") or {}, "spec.pool")


def _scope(spec: Spec) -> list[FieldError]:
    """Which nodes have the devices."""
    errors: list[FieldError] = []
    node, selector = spec.get("nodeName"), spec.get("nodeSelector")
    if node:
        errors += names.errors("spec.nodeName", node, names.dns1123_subdomain)
    elif node is not None:
        why = "must be either unset or set to a non-empty string"
        errors.append(field_errors.invalid("spec.nodeName", node, why))
    if selector is not None:
        terms, here = selector.get("nodeSelectorTerms") or [], "spec.nodeSelector.nodeSelectorTerms"
        if not terms:
            errors.append(field_errors.required(here, "must have at least one node selector term"))
        if len(terms) != 1:
            errors.append(field_errors.invalid(here, terms or None, "must have exactly one node selector term"))
    for name in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(name) is False:
            errors.append(field_errors.invalid(f"spec.{name}", False, "must be either unset or set to true"))
    given = [f"`{name}`" for name in _SCOPES if spec.get(name) or (name == "nodeSelector" and selector is not None)]
    required = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
    if not given:
        errors.append(field_errors.required("spec", required))
    elif len(given) > 1:
        why = required + ", but multiple fields are set"
        errors.append(field_errors.invalid("spec", "{" + ", ".join(given) + "}", why))
    return errors


def _devices(spec: Spec) -> list[FieldError]:
    devices, path = spec.get("devices") or [], "spec.devices"
    errors: list[FieldError] = []
    if spec.get("sharedCounters") and devices:
        errors.append(field_errors.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    advanced = any(device.get("taints") or device.get("consumesCounters") for device in devices)
    most = MAX_ADVANCED_DEVICES if advanced else MAX_DEVICES
    if len(devices) > most:
        return [*errors, field_errors.too_many(path, len(devices), most)]
    for index, device in enumerate(devices):
        errors += _device(device, f"{path}[{index}]")
        errors += _device_nodes(device, f"{path}[{index}]", bool(spec.get("perDeviceNodeSelection")))
    return errors + field_checks.unique(path, (device.get("name") or "" for device in devices))


def _device_nodes(device: Spec, path: str, wanted: bool) -> list[FieldError]:
    given = [f"`{name}`" for name in ("nodeName", "nodeSelector", "allNodes") if device.get(name) is not None]
    if not wanted:
        why = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the "
        return [field_errors.invalid(path, None, why + "ResourceSlice spec")] if given else []
    why = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true "
    why += "in the ResourceSlice spec"
    if not given:
        return [field_errors.required(path, why)]
    return [field_errors.invalid(path, "{" + ", ".join(given) + "}", why)] if len(given) > 1 else []


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
    if generation < 0:
        errors.append(field_errors.invalid(f"{path}.generation", generation, "must be greater than or equal to zero"))
    return errors


def _device(device: Spec, path: str) -> list[FieldError]:
    errors = names.errors(f"{path}.name", device.get("name") or "", names.dns1123_label)
    body, here = (device["basic"], f"{path}.basic") if device.get("basic") else (device, path)
    attributes, capacity = body.get("attributes") or {}, body.get("capacity") or {}
    if len(attributes) + len(capacity) > MAX_ATTRIBUTES:
        why = f"the total number of attributes and capacities must not exceed {MAX_ATTRIBUTES}"
        errors.append(field_errors.invalid(here, len(attributes) + len(capacity), why))
    for key in sorted(attributes):
        where = f"{here}.attributes[{key}]"
        errors += qualified(key, where)
        errors += _value(attributes[key], where)
    for key in sorted(capacity):
        errors += qualified(key, f"{here}.capacity[{key}]")
        if capacity[key].get("requestPolicy") is not None and not body.get("allowMultipleAllocations"):
            where = f"{here}.capacity[{key}].requestPolicy"
            errors.append(field_errors.forbidden(where, "allowMultipleAllocations must be true"))
    for index, taint in enumerate(body.get("taints") or ()):
        errors += taint_errors(taint, f"{here}.taints[{index}]")
    return errors


def _value(attribute: Spec, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    given = [name for name in _VALUES if attribute.get(name) is not None]
    for name in ("string", "version"):
        text = attribute.get(name)
        if name == "version" and text is not None and not _SEMVER.fullmatch(text):
            why = "must be a string compatible with semver.org spec 2.0.0"
            errors.append(field_errors.invalid(f"{path}.version", text, why))
        if text is not None and len(text.encode()) > _MAX_VALUE:
            errors.append(field_errors.too_long(f"{path}.{name}", _MAX_VALUE))
    if not given:
        errors.append(field_errors.invalid(path, "", "exactly one value must be specified"))
    elif len(given) > 1:
        shown = go_form("resource.v1.DeviceAttribute", attribute)
        errors.append(field_errors.invalid(path, shown, "exactly one value must be specified"))
    return errors


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
