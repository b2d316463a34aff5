"""Validation of resource requirements: names, quantities, requests against limits, huge pages, claims, pod level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, quantity
from kctl.apimachinery.field_errors import FieldError

NEGATIVE = "must be greater than or equal to 0"
HUGE = "hugepages-"
_STANDARD_CONTAINER = frozenset(("cpu", "memory", "ephemeral-storage"))
_STANDARD = _STANDARD_CONTAINER | frozenset(
    (
        "requests.cpu",
        "requests.memory",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "storage",
        "requests.storage",
        "services.nodeports",
        "services.loadbalancers",
    )
)
_INTEGERS = frozenset(
    (
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)
NameRule = Callable[[str, str], list[FieldError]]


def is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """A resource of a device plugin: fully qualified, outside kubernetes.io."""
    if is_native(name) or name.startswith("requests."):
        return False
    return not names.qualified_name("requests." + name)


def overcommit_allowed(name: str) -> bool:
    return is_native(name) and not name.startswith(HUGE)


def resource_name(name: str, path: str) -> list[FieldError]:
    errors = names.errors(path, name, names.qualified_name)
    if not errors and "/" not in name and not (name in _STANDARD or name.startswith((HUGE, "requests.hugepages-"))):
        errors.append(fe.invalid(path, name, "must be a standard resource type or fully qualified"))
    return errors


def container_resource_name(name: str, path: str) -> list[FieldError]:
    errors = resource_name(name, path)
    if "/" not in name:
        if not (name in _STANDARD_CONTAINER or name.startswith(HUGE)):
            errors.append(fe.invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        errors.append(fe.invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def _pod_resource_name(name: str, path: str) -> list[FieldError]:
    errors = resource_name(name, path)
    if not errors and name not in ("cpu", "memory") and not name.startswith(HUGE):
        errors.append(fe.unsupported(path, name, ("cpu", "hugepages-", "memory")))
    return errors


def quantity_value(name: str, value: Any, path: str) -> list[FieldError]:
    """Not negative, and whole where the resource is counted (ValidateResourceQuantityValue)."""
    exact = quantity.parse(value)
    errors: list[FieldError] = []
    if exact < 0:
        errors.append(fe.invalid(path, quantity.canonical(value), NEGATIVE))
    if (name in _INTEGERS or is_extended(name)) and exact.denominator != 1:
        errors.append(fe.invalid(path, quantity.canonical(value), "must be an integer"))
    return errors


def _huge_page(name: str, value: Any, path: str) -> list[FieldError]:
    if not name.startswith(HUGE):
        return []
    try:
        size = quantity.parse(name.removeprefix(HUGE))
    except quantity.QuantityError:
        size = Fraction(0)
    exact = quantity.parse(value)
    if size > 0 and exact % size == 0:
        return []
    text = quantity.canonical(value)
    return [fe.invalid(path, text, f"{text} is not positive integer multiple of {name}")]


def validate_container_resources(resources: Mapping[str, Any] | None, claims: frozenset[str] | None, path: str) -> list[FieldError]:
    """`claims` are the names in spec.resourceClaims."""
    if not resources:
        return []
    return _requirements(resources, container_resource_name, claims or frozenset(), path)


def _requirements(resources: Mapping[str, Any], rule: NameRule, claims: frozenset[str], path: str) -> list[FieldError]:
    limits: Mapping[str, Any] = resources.get("limits") or {}
    requests: Mapping[str, Any] = resources.get("requests") or {}
    errors: list[FieldError] = []
    for name, value in limits.items():
        here = f"{path}.limits[{name}]"
        errors += rule(name, here)
        errors += quantity_value(name, value, here)
        errors += _huge_page(name, value, here)
    for name, value in requests.items():
        here = f"{path}.requests[{name}]"
        errors += rule(name, here)
        errors += quantity_value(name, value, here)
        errors += _request_against_limit(name, value, limits, path)
        errors += _huge_page(name, value, here)
    present = (*limits, *requests)
    if any(name.startswith(HUGE) for name in present) and not ("cpu" in present or "memory" in present):
        errors.append(fe.forbidden(path, "HugePages require cpu or memory"))
    if resources.get("claims"):
        errors += _claim_names(resources["claims"], claims, f"{path}.claims")
    return errors


def _request_against_limit(name: str, value: Any, limits: Mapping[str, Any], path: str) -> list[FieldError]:
    if name not in limits:
        if overcommit_allowed(name):
            return []
        return [fe.required(f"{path}.limits", "Limit must be set for non overcommitable resources")]
    request, limit = quantity.parse(value), quantity.parse(limits[name])
    text, bound = quantity.canonical(value), quantity.canonical(limits[name])
    if request != limit and not overcommit_allowed(name):
        return [fe.invalid(f"{path}.requests", text, f"must be equal to {name} limit of {bound}")]
    if request > limit:
        return [fe.invalid(f"{path}.requests", text, f"must be less than or equal to {name} limit of {bound}")]
    return []


def _claim_names(entries: list[dict[str, Any]], claims: frozenset[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    of_name: Counter[str] = Counter()
    for index, claim in enumerate(entries):
        here, name, request = f"{path}[{index}]", claim.get("name") or "", claim.get("request") or ""
        if not name:
            errors.append(fe.required(here))
            continue
        if name in seen:
            errors.append(fe.duplicate(here, name))
        else:
            key = f"{name}/{request}" if request else name
            if request:
                errors += names.errors(f"{here}.request", request, names.dns1123_label)
            if key in seen:
                errors.append(fe.duplicate(here, key))
            elif not request:
                errors += [fe.duplicate(here, name)] * of_name[name]
            if key not in seen:
                seen.add(key)
                of_name[name] += 1
        if name not in claims:
            errors.append(fe.not_found(here, name, lambda: _names_of(claims)))
    return errors


def _names_of(claims: frozenset[str]) -> str:
    why = ": " + ", ".join(sorted(claims)) if claims else " which is empty"
    return f"must be one of the names in pod.spec.resourceClaims{why}"


def validate_overhead(overhead: Mapping[str, Any], path: str) -> list[FieldError]:
    return _requirements({"limits": overhead}, container_resource_name, frozenset(), path)


def validate_pod_level(spec: Mapping[str, Any], claims: frozenset[str], path: str) -> list[FieldError]:
    """spec.resources: cpu, memory and huge pages of the pod as a whole, at least what its containers ask for."""
    resources = spec.get("resources")
    if not resources:
        return []
    errors: list[FieldError] = []
    if resources.get("claims"):
        errors.append(fe.forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level"))
    errors += _requirements(resources, _pod_resource_name, claims, path)
    total = aggregate_requests(spec)
    requests = resources.get("requests") or {}
    for name, amount in sorted(total.items()):
        own = requests.get(name, "0")
        if amount > quantity.parse(own):
            form = quantity.format_quantity(amount, "BinarySI" if name in ("memory",) else "DecimalSI")
            why = f"must be greater than or equal to aggregate container requests of {form}"
            errors.append(fe.invalid(f"{path}.requests[{name}]", quantity.canonical(own), why))
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in ((container.get("resources") or {}).get("limits") or {}).items():
            bound = (resources.get("limits") or {}).get(name)
            if bound is not None and quantity.parse(limit) > quantity.parse(bound):
                why = f"must be less than or equal to pod limits of {quantity.canonical(bound)}"
                here = f"{path}.containers[{index}][{name}].limits"
                errors.append(fe.invalid(here, quantity.canonical(limit), why))
    return errors


def aggregate_requests(spec: Mapping[str, Any]) -> dict[str, Fraction]:
    """What the containers of a pod request together (AggregateContainerRequests): sidecars count, plain init containers
    only where they need more than what runs after them."""

    def requests(container: Mapping[str, Any]) -> dict[str, Fraction]:
        requested = (container.get("resources") or {}).get("requests") or {}
        return {name: quantity.parse(value) for name, value in requested.items()}

    total: dict[str, Fraction] = {}
    for container in spec.get("containers") or ():
        for name, value in requests(container).items():
            total[name] = total.get(name, Fraction(0)) + value
    sidecars: dict[str, Fraction] = {}
    peak: dict[str, Fraction] = {}
    for container in spec.get("initContainers") or ():
        restartable = container.get("restartPolicy") == "Always"
        for name, value in requests(container).items():
            if restartable:
                total[name] = total.get(name, Fraction(0)) + value
                sidecars[name] = sidecars.get(name, Fraction(0)) + value
                value = sidecars[name]
            else:
                value += sidecars.get(name, Fraction(0))
            peak[name] = max(peak.get(name, Fraction(0)), value)
    for name, value in peak.items():
        total[name] = max(total.get(name, Fraction(0)), value)
    return total
