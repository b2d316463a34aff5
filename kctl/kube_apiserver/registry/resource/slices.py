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
from kctl.kube_apiserver.registry.resource.internal_claim import qualified
from kctl.kube_apiserver.registry.rules.checks import at_least, driver_name, given, most_bytes, number
from kctl.kube_apiserver.registry.rules.language import each, field, optional, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

Spec = dict[str, Any]
MAX_DEVICES = 128
MAX_ADVANCED_DEVICES = 64
MAX_ATTRIBUTES = 32
_SCOPES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_VALUES = ("int", "bool", "string", "version", "ints", "bools", "strings", "versions")
_MAX_VALUE = 64
_NUMBER, _PART = r"(0|[1-9]\d*)", r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = r"[0-9a-zA-Z-]+"
_SEMVER = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+{_BUILD}(\.{_BUILD})*)?")


def _pool_name(name: str, path: str) -> list[FieldError]:
    errors = [field_errors.too_long(path, 253)] if len(name) > 253 else []
    return errors + [error for part in name.split("/") for error in names.errors(path, part, names.dns1123_subdomain)]


def _node_name(name: str) -> list[str]:
    return names.dns1123_subdomain(name) if name else ["must be either unset or set to a non-empty string"]


def _terms(selector: Any, path: str) -> list[FieldError]:
    terms, here = selector.get("nodeSelectorTerms") or [], f"{path}.nodeSelectorTerms"
    errors = [] if terms else [field_errors.required(here, "must have at least one node selector term")]
    if len(terms) != 1:
        errors.append(field_errors.invalid(here, terms or None, "must have exactly one node selector term"))
    return errors


def _true(value: bool) -> list[str]:
    return [] if value else ["must be either unset or set to true"]


def _one_scope(spec: Any, path: str) -> list[FieldError]:
    present = [f"`{name}`" for name in _SCOPES if spec.get(name) or (name == "nodeSelector" and spec.get(name) is not None)]
    why = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
    if not present:
        return [field_errors.required(path, why)]
    shown = "{" + ", ".join(present) + "}"
    return [field_errors.invalid(path, shown, f"{why}, but multiple fields are set")] if len(present) > 1 else []


def _devices(spec: Spec, path: str) -> list[FieldError]:
    devices, path = spec.get("devices") or [], f"{path}.devices"
    errors: list[FieldError] = []
    if spec.get("sharedCounters") and devices:
        errors.append(field_errors.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    advanced = any(device.get("taints") or device.get("consumesCounters") for device in devices)
    most = MAX_ADVANCED_DEVICES if advanced else MAX_DEVICES
    if len(devices) > most:
        return [*errors, field_errors.too_many(path, len(devices), most)]
    for index, device in enumerate(devices):
        errors += _DEVICE.errors_at(device, f"{path}[{index}]")
        errors += _device_nodes(device, f"{path}[{index}]", bool(spec.get("perDeviceNodeSelection")))
    return errors + field_checks.unique(path, (device.get("name") or "" for device in devices))


def _device_nodes(device: Spec, path: str, wanted: bool) -> list[FieldError]:
    present = [f"`{name}`" for name in given(device, ("nodeName", "nodeSelector", "allNodes"))]
    if not wanted:
        why = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the "
        return [field_errors.invalid(path, None, why + "ResourceSlice spec")] if present else []
    why = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true "
    why += "in the ResourceSlice spec"
    if not present:
        return [field_errors.required(path, why)]
    return [field_errors.invalid(path, "{" + ", ".join(present) + "}", why)] if len(present) > 1 else []


def _properties(device: Spec, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    body, here = (device["basic"], f"{path}.basic") if device.get("basic") else (device, path)
    attributes, capacity = body.get("attributes") or {}, body.get("capacity") or {}
    if len(attributes) + len(capacity) > MAX_ATTRIBUTES:
        why = f"the total number of attributes and capacities must not exceed {MAX_ATTRIBUTES}"
        errors.append(field_errors.invalid(here, len(attributes) + len(capacity), why))
    for key in sorted(attributes):
        where = f"{here}.attributes[{key}]"
        errors += qualified(key, where)
        errors += _ATTRIBUTE.errors_at(attributes[key], where)
    for key in sorted(capacity):
        errors += qualified(key, f"{here}.capacity[{key}]")
        if capacity[key].get("requestPolicy") is not None and not body.get("allowMultipleAllocations"):
            where = f"{here}.capacity[{key}].requestPolicy"
            errors.append(field_errors.forbidden(where, "allowMultipleAllocations must be true"))
    return errors + each(_TAINT).errors_at(body.get("taints"), f"{here}.taints")


def _semver(text: str) -> list[str]:
    return [] if _SEMVER.fullmatch(text) else ["must be a string compatible with semver.org spec 2.0.0"]


def _one_value(attribute: Spec, path: str) -> list[FieldError]:
    present = given(attribute, _VALUES)
    if len(present) == 1:
        return []
    shown = go_form("resource.v1.DeviceAttribute", attribute) if present else ""
    return [field_errors.invalid(path, shown, "exactly one value must be specified")]


_TAINT = struct(
    field("key", validate_label_name),
    optional("value", names.label_value),
    field("effect", required=True, enum=("NoExecute", "NoSchedule", "None")),
)
_ATTRIBUTE = struct(pointer("string", most_bytes(_MAX_VALUE)), pointer("version", _semver, most_bytes(_MAX_VALUE)), _one_value)
_DEVICE = struct(field("name", names.dns1123_label), _properties)
_POOL = struct(
    field("name", _pool_name, required=True, immutable=True),
    field("resourceSliceCount", number(lambda value: value > 0, "must be greater than zero")),
    field("generation", at_least(0, "must be greater than or equal to zero")),
)
_HEAD = struct(
    field(
        "spec",
        struct(field("driver", driver_name), field("pool", _POOL), *(field(name, immutable=True) for name in ("driver", "nodeName"))),
    )
)
_REST = struct(
    field(
        "spec",
        struct(
            pointer("nodeName", _node_name),
            pointer("nodeSelector", _terms),
            pointer("allNodes", _true),
            pointer("perDeviceNodeSelection", _true),
            _one_scope,
            _devices,
        ),
    )
)


class ResourceSliceStrategy(RuledStrategy):
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
        return _HEAD.errors(obj) + _REST.errors(obj)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return _HEAD.errors(obj) + _HEAD.changes(obj, old) + _REST.errors(obj)


class DeviceTaintRuleStrategy(RuledStrategy):
    returns_deleted_object = True
    rules = struct(field("spec", struct(field("deviceSelector", struct(optional("driver", driver_name))), field("taint", _TAINT))))

    def default(self, context: Context, obj: Object) -> None:
        taint = obj.setdefault("spec", {}).setdefault("taint", {})
        if taint.get("timeAdded") is None:
            taint["timeAdded"] = times.rfc3339(context.now)


SLICE = ResourceSliceStrategy()
TAINT_RULE = DeviceTaintRuleStrategy()
