"""ResourceClaims, ResourceClaimTemplates and DeviceClasses of dynamic resource allocation."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Spec = dict[str, Any]
MAX_REQUESTS = 32
MAX_SELECTORS = 32
MAX_FIRST_AVAILABLE = 8
_MODES = ("All", "ExactCount")


def default_claim_spec(spec: Spec) -> None:
    for request in (spec.get("devices") or {}).get("requests") or ():
        details = [request["exactly"]] if request.get("exactly") is not None else []
        if "deviceClassName" in request:  # v1beta1 has the fields of `exactly` at the top
            details.append(request)
        for detail in (*details, *(request.get("firstAvailable") or ())):
            if not detail.get("allocationMode"):
                detail["allocationMode"] = "ExactCount"
            if detail["allocationMode"] == "ExactCount" and not detail.get("count"):
                detail["count"] = 1


def claim_spec_errors(spec: Spec, path: str) -> list[FieldError]:
    devices, here = spec.get("devices") or {}, f"{path}.devices"
    requests = devices.get("requests") or []
    errors: list[FieldError] = []
    if len(requests) > MAX_REQUESTS:
        errors.append(field_errors.too_many(f"{here}.requests", len(requests), MAX_REQUESTS))
    seen: list[str] = []
    for index, request in enumerate(requests):
        errors += _request(request, f"{here}.requests[{index}]")
        name = request.get("name") or ""
        if name and name in seen:
            errors.append(field_errors.duplicate(f"{here}.requests[{index}].name", name))
        seen.append(name)
    for index, constraint in enumerate(devices.get("constraints") or ()):
        errors += _constraint(constraint, f"{here}.constraints[{index}]", seen)
    for index, config in enumerate(devices.get("config") or ()):
        where = f"{here}.config[{index}]"
        errors += _references(config.get("requests") or [], f"{where}.requests", seen)
        errors += _opaque(config.get("opaque"), where)
    return errors


def _request(request: Spec, path: str) -> list[FieldError]:
    errors = field_checks.required_name(f"{path}.name", request.get("name"), names.dns1123_label)
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable")
    if "deviceClassName" in request and exactly is None:
        return errors + _detail(request, path)
    if exactly is None and not alternatives:
        why = "exactly one of `exactly` or `firstAvailable` is required"
        return [*errors, field_errors.required(path, why)]
    if exactly is not None and alternatives:
        why = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        return [*errors, field_errors.invalid(path, None, why)]
    if exactly is not None:
        return errors + _detail(exactly, f"{path}.exactly")
    seen: set[str] = set()
    if len(alternatives or ()) > MAX_FIRST_AVAILABLE:
        errors.append(field_errors.too_many(f"{path}.firstAvailable", len(alternatives or ()), MAX_FIRST_AVAILABLE))
    for index, alternative in enumerate(alternatives or ()):
        here, name = f"{path}.firstAvailable[{index}]", alternative.get("name") or ""
        errors += field_checks.required_name(f"{here}.name", name, names.dns1123_label)
        errors += _detail(alternative, here)
        if name in seen:
            errors.append(field_errors.duplicate(f"{here}.name", name))
        seen.add(name)
    return errors


def _detail(detail: Spec, path: str) -> list[FieldError]:
    name = detail.get("deviceClassName")
    errors = field_checks.required_name(f"{path}.deviceClassName", name, names.dns1123_subdomain)
    errors += selectors_errors(detail.get("selectors") or [], f"{path}.selectors")
    mode, count = detail.get("allocationMode"), detail.get("count") or 0
    if mode == "All":
        if count:
            errors.append(
                field_errors.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")
            )
    elif mode == "ExactCount":
        if count <= 0:
            errors.append(field_errors.invalid(f"{path}.count", count, "must be greater than zero"))
    else:
        errors.append(field_errors.unsupported(f"{path}.allocationMode", mode or "", _MODES))
    for index, toleration in enumerate(detail.get("tolerations") or ()):
        errors += _toleration(toleration, f"{path}.tolerations[{index}]")
    return errors


def _toleration(toleration: Spec, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    if key:
        errors += names.errors(f"{path}.key", key, names.qualified_name)
    errors += field_checks.required_enum(f"{path}.operator", operator, ("Equal", "Exists"))
    if toleration.get("effect"):
        choices = ("NoExecute", "NoSchedule", "None")
        errors += field_checks.enum(f"{path}.effect", toleration["effect"], choices)
    return errors


def selectors_errors(selectors: list[Spec], path: str) -> list[FieldError]:
    """Structure only: CEL expressions are not compiled here."""
    errors: list[FieldError] = []
    if len(selectors) > MAX_SELECTORS:
        errors.append(field_errors.too_many(path, len(selectors), MAX_SELECTORS))
    for index, selector in enumerate(selectors):
        if selector.get("cel") is None:
            errors.append(field_errors.required(f"{path}[{index}].cel"))
        else:
            errors += field_checks.required(f"{path}[{index}].cel.expression", selector["cel"].get("expression"))
    return errors


def _references(wanted: list[str], path: str, known: list[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, name in enumerate(wanted):
        if name.partition("/")[0] not in known:
            why = (
                "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
            )
            errors.append(field_errors.invalid(f"{path}[{index}]", name, why))
    return errors + field_checks.unique(path, wanted)


def _constraint(constraint: Spec, path: str, known: list[str]) -> list[FieldError]:
    errors = _references(constraint.get("requests") or [], f"{path}.requests", known)
    attribute = constraint.get("matchAttribute") or constraint.get("distinctAttribute")
    if not attribute:
        errors.append(field_errors.required(f"{path}.matchAttribute"))
    elif "/" not in attribute:
        errors.append(field_errors.invalid(f"{path}.matchAttribute", attribute, "must include a domain"))
    return errors


def _opaque(opaque: Spec | None, path: str) -> list[FieldError]:
    if opaque is None:
        return [field_errors.required(f"{path}.opaque")]
    errors = driver_name(f"{path}.opaque.driver", opaque.get("driver") or "")
    return errors + field_checks.required(f"{path}.opaque.parameters", opaque.get("parameters"))


def driver_name(path: str, name: str) -> list[FieldError]:
    if not name:
        return [field_errors.required(path)]
    errors = [field_errors.too_long(path, 63)] if len(name) > 63 else []
    return errors + names.errors(path, name, names.dns1123_subdomain)


class ResourceClaimStrategy(Strategy):
    returns_deleted_object = True
    has_generation = False

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            field_checks.keep_metadata(obj, old)

    def default(self, context: Context, obj: Object) -> None:
        default_claim_spec(obj.setdefault("spec", {}))

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return claim_spec_errors(objects.spec(obj), "spec")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return field_checks.immutable("spec", objects.spec(obj), objects.spec(old))

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        status, before = objects.status(obj), objects.status(old)
        errors: list[FieldError] = []
        reserved = status.get("reservedFor") or []
        if len(reserved) > 256:
            errors.append(field_errors.too_many("status.reservedFor", len(reserved), 256))
        if reserved and status.get("allocation") is None:
            why = "may not be specified when `allocated` is not set"
            errors.append(field_errors.forbidden("status.reservedFor", why))
        if before.get("allocation") is not None and status.get("allocation") is not None:
            errors += field_checks.immutable("status.allocation", status["allocation"], before["allocation"])
        return errors


class ResourceClaimTemplateStrategy(Strategy):
    returns_deleted_object = True
    has_generation = False

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("metadata", {})
        default_claim_spec(spec.setdefault("spec", {}))

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return claim_spec_errors(objects.spec(obj).get("spec") or {}, "spec.spec")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return field_checks.immutable("spec", objects.spec(obj), objects.spec(old))


class DeviceClassStrategy(Strategy):
    returns_deleted_object = True

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = selectors_errors(spec.get("selectors") or [], "spec.selectors")
        for index, config in enumerate(spec.get("config") or ()):
            errors += _opaque(config.get("opaque"), f"spec.config[{index}]")
        return errors


CLAIM = ResourceClaimStrategy()
CLAIM_TEMPLATE = ResourceClaimTemplateStrategy()
DEVICE_CLASS = DeviceClassStrategy()
