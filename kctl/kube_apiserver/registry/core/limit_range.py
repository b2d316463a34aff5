"""LimitRanges: defaults derived from max and min, and the order min <= default request <= default <= max."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Limit = dict[str, Any]
_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_CONTAINER = frozenset({"cpu", "memory", "ephemeral-storage"})
_COMPARISONS = (
    # smaller, larger, field reported, value printed, text
    ("min", "max", "min", "min", "min value {0} is greater than max value {1}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest", "min value {0} is greater than default request value {1}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value {0} is greater than max value {1}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest", "default request value {0} is greater than default limit value {1}"),
    ("min", "default", "default", "min", "min value {0} is greater than default value {1}"),
    ("default", "max", "default", "max", "default value {0} is greater than max value {1}"),
)


class LimitRangeStrategy(Strategy):
    allow_create_on_update = True
    has_generation = False

    def default(self, context: Context, obj: Object) -> None:
        for limit in objects.spec(obj).get("limits") or ():
            if limit.get("type") == "Container":
                default = {**(limit.get("max") or {}), **(limit.get("default") or {})}
                request = {**(limit.get("min") or {}), **default, **(limit.get("defaultRequest") or {})}
                if default:
                    limit["default"] = default
                if request:
                    limit["defaultRequest"] = request

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        if not objects.name(obj) and not objects.metadata(obj).get("generateName"):
            bits = f"{context.randomness.getrandbits(128):032x}"
            obj["metadata"]["name"] = f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        seen: set[str] = set()
        for index, limit in enumerate(objects.spec(obj).get("limits") or ()):
            path, kind = f"spec.limits[{index}]", limit.get("type") or ""
            errors += _type_name(f"{path}.type", kind)
            if kind in seen:
                errors.append(field_errors.duplicate(f"{path}.type", kind))
            seen.add(kind)
            errors += _fields(limit, kind, path)
            for resource in sorted(_resources(limit, kind)):
                errors += _ordering(limit, kind, resource, path)
        return errors


def _type_name(path: str, kind: str) -> list[FieldError]:
    errors = names.errors(path, kind, names.qualified_name)
    if not errors and "/" not in kind and kind not in _TYPES:
        errors.append(field_errors.invalid(path, kind, "must be a standard limit type or fully qualified"))
    return errors


def _resources(limit: Limit, kind: str) -> set[str]:
    fields = ["max", "min", "maxLimitRequestRatio"] + ([] if kind == "Pod" else ["default", "defaultRequest"])
    return {resource for name in fields for resource in limit.get(name) or ()}


def _fields(limit: Limit, kind: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in ("max", "min"):
        errors += _names(limit, kind, path, name)
    for name in ("default", "defaultRequest"):
        if kind != "Pod":
            errors += _names(limit, kind, path, name)
        elif limit.get(name):
            errors.append(field_errors.forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'"))
    bounded = any("storage" in (limit.get(name) or {}) for name in ("min", "max"))
    if kind == "PersistentVolumeClaim" and not bounded:
        why = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(field_errors.required(f"{path}.limits", why))
    return errors + _names(limit, kind, path, "maxLimitRequestRatio")


def _names(limit: Limit, kind: str, path: str, name: str) -> list[FieldError]:
    check = container_resource_name if kind in ("Pod", "Container") else field_checks.resource_name
    return [error for key in sorted(limit.get(name) or {}) for error in check(f"{path}.{name}[{key}]", key)]


def container_resource_name(path: str, name: str) -> list[FieldError]:
    errors = names.errors(path, name, names.qualified_name)
    if not errors and "/" not in name and name not in _CONTAINER and not name.startswith("hugepages-"):
        errors.append(field_errors.invalid(path, name, "must be a standard resource for containers"))
    return errors


def _ordering(limit: Limit, kind: str, resource: str, path: str) -> list[FieldError]:
    given = {
        name: (limit.get(name) or {}).get(resource)
        for name in ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
        if not (kind == "Pod" and name.startswith("default"))
    }
    errors: list[FieldError] = []
    for smaller, larger, reported, printed, text in _COMPARISONS:
        low, high = given.get(smaller), given.get(larger)
        if low is not None and high is not None and quantity.parse(low) > quantity.parse(high):
            why = text.format(quantity.canonical(low), quantity.canonical(high))
            value = quantity.canonical(given[printed])
            errors.append(field_errors.invalid(f"{path}.{reported}[{resource}]", value, why))
    return errors + _ratio(given, resource, path)


def _ratio(given: dict[str, Any], resource: str, path: str) -> list[FieldError]:
    ratio, here = given.get("maxLimitRequestRatio"), f"{path}.maxLimitRequestRatio[{resource}]"
    if ratio is None:
        return []
    shown, errors = quantity.canonical(ratio), []
    if quantity.parse(ratio) < 1:
        errors.append(field_errors.invalid(here, shown, f"ratio {shown} is less than 1"))
    low, high = given.get("min"), given.get("max")
    if low is not None and high is not None and quantity.parse(low) > 0:
        bound = quantity.parse(high) / quantity.parse(low)
        if quantity.parse(ratio) > bound:
            errors.append(field_errors.invalid(here, shown, f"ratio {shown} is greater than max/min = {float(bound):f}"))
    return errors


STRATEGY = LimitRangeStrategy()
