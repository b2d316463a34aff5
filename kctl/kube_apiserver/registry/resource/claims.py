"""ResourceClaims, ResourceClaimTemplates and DeviceClasses of dynamic resource allocation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.admissionregistration import expressions
from kctl.kube_apiserver.registry.metadata import annotation_errors, label_errors
from kctl.kube_apiserver.registry.resource.internal_claim import (
    fully_qualified,
    opaque_errors,
    toleration_errors,
)
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Spec = dict[str, Any]
MAX_REQUESTS = 32
MAX_SELECTORS = 32
MAX_FIRST_AVAILABLE = 8
MAX_EXPRESSION = 10 * 1024
EFFECTS = ("NoExecute", "NoSchedule", "None")
_REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
_ONE_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
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
            for toleration in detail.get("tolerations") or ():
                if not toleration.get("operator"):
                    toleration["operator"] = "Equal"


def claim_spec_errors(spec: Spec, path: str) -> list[FieldError]:
    devices, here = spec.get("devices") or {}, f"{path}.devices"
    requests = devices.get("requests") or []
    known = {request.get("name") or "": [one.get("name") or "" for one in request.get("firstAvailable") or ()] for request in requests}
    errors = _named(requests, f"{here}.requests", MAX_REQUESTS, _request)
    constraints, configs = devices.get("constraints") or [], devices.get("config") or []
    for entries, name in ((constraints, "constraints"), (configs, "config")):
        if len(entries) > MAX_REQUESTS:
            errors.append(field_errors.too_many(f"{here}.{name}", len(entries), MAX_REQUESTS))
            continue
        for index, entry in enumerate(entries):
            where = f"{here}.{name}[{index}]"
            errors += _references(entry.get("requests") or [], f"{where}.requests", known)
            errors += _attribute(entry, where) if name == "constraints" else opaque_errors(entry.get("opaque"), where)
    return errors


def _named(entries: list[Spec], path: str, most: int, check: Callable[[Spec, str], list[FieldError]]) -> list[FieldError]:
    """A list whose entries have names of their own."""
    if len(entries) > most:
        return [field_errors.too_many(path, len(entries), most)]
    errors = [error for index, entry in enumerate(entries) for error in check(entry, f"{path}[{index}]")]
    return errors + field_checks.unique(path, (entry.get("name") or "" for entry in entries))


def _request(request: Spec, path: str) -> list[FieldError]:
    errors = names.errors(f"{path}.name", request.get("name") or "", names.dns1123_label)
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
    return errors + _named(alternatives or [], f"{path}.firstAvailable", MAX_FIRST_AVAILABLE, _alternative)


def _alternative(alternative: Spec, path: str) -> list[FieldError]:
    errors = names.errors(f"{path}.name", alternative.get("name") or "", names.dns1123_label)
    return errors + _detail(alternative, path)


def _detail(detail: Spec, path: str) -> list[FieldError]:
    name = detail.get("deviceClassName")
    errors = field_checks.required_name(f"{path}.deviceClassName", name, names.dns1123_subdomain)
    errors += selectors_errors(detail.get("selectors") or [], f"{path}.selectors")
    mode, count = detail.get("allocationMode"), detail.get("count") or 0
    if mode == "All":
        if count:
            errors.append(field_errors.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount":
        if count <= 0:
            errors.append(field_errors.invalid(f"{path}.count", count, "must be greater than zero"))
    else:
        errors.append(field_errors.unsupported(f"{path}.allocationMode", mode or "", _MODES))
    for index, toleration in enumerate(detail.get("tolerations") or ()):
        errors += toleration_errors(toleration, f"{path}.tolerations[{index}]", EFFECTS)
    return errors


def selectors_errors(selectors: list[Spec], path: str) -> list[FieldError]:
    """CEL expressions are compiled as far as expressions.py does."""
    if len(selectors) > MAX_SELECTORS:
        return [field_errors.too_many(path, len(selectors), MAX_SELECTORS)]
    errors: list[FieldError] = []
    for index, selector in enumerate(selectors):
        where = f"{path}[{index}].cel"
        if selector.get("cel") is None:
            errors.append(field_errors.required(where))
            continue
        text = selector["cel"].get("expression") or ""
        if len(text.encode()) > MAX_EXPRESSION:
            errors.append(field_errors.too_long(f"{where}.expression", MAX_EXPRESSION))
            continue
        problem = expressions.problem(text, ("device",), expressions.BOOL)
        if problem:
            problem = problem.replace("must evaluate to bool but got ", "must evaluate to bool or the unknown type, not ")
            errors.append(field_errors.invalid(f"{where}.expression", text, problem))
    return errors


def _references(wanted: list[str], path: str, known: dict[str, list[str]]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, name in enumerate(wanted):
        where, parts = f"{path}[{index}]", name.split("/")
        if len(parts) <= 2:
            for part in parts:
                errors += names.errors(where, part, names.dns1123_label)
        if len(parts) > 2 or parts[0] not in known or (len(parts) == 2 and parts[1] not in known[parts[0]]):
            errors.append(field_errors.invalid(where, name, _REFERENCE))
    return errors + field_checks.unique(path, wanted)


def _attribute(constraint: Spec, path: str) -> list[FieldError]:
    for name in ("matchAttribute", "distinctAttribute"):
        if constraint.get(name) is not None:
            return fully_qualified(constraint[name], f"{path}.{name}")
    return [field_errors.required(path, _ONE_ATTRIBUTE)]


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
        return _unchanged("ResourceClaimSpec", obj, old)

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
        spec = objects.spec(obj)
        return _metadata(spec.get("metadata") or {}) + claim_spec_errors(spec.get("spec") or {}, "spec.spec")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return _unchanged("ResourceClaimTemplateSpec", obj, old)


def _metadata(meta: Spec) -> list[FieldError]:
    errors = annotation_errors("spec.metadata.annotations", meta.get("annotations") or {})
    return errors + label_errors("spec.metadata.labels", meta.get("labels") or {})


def _unchanged(type_name: str, obj: Object, old: Object) -> list[FieldError]:
    new, before = (go_form(f"resource.v1.{type_name}", objects.spec(one)) for one in (obj, old))
    return [] if new == before else [field_errors.invalid("spec", new, field_checks.IMMUTABLE)]


class DeviceClassStrategy(Strategy):
    returns_deleted_object = True

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = selectors_errors(spec.get("selectors") or [], "spec.selectors")
        for index, config in enumerate(spec.get("config") or ()):
            errors += opaque_errors(config.get("opaque"), f"spec.config[{index}]")
        name = spec.get("extendedResourceName")
        if name is not None and not _extended(name):
            why = "must be a valid extended resource name"
            errors.append(field_errors.invalid("spec.extendedResourceName", name, why))
        return errors


def _extended(name: str) -> bool:
    """A resource of a domain that is not Kubernetes' own."""
    native = "/" not in name or "kubernetes.io/" in name
    return not native and not name.startswith("requests.") and not names.qualified_name(f"requests.{name}")


CLAIM = ResourceClaimStrategy()
CLAIM_TEMPLATE = ResourceClaimTemplateStrategy()
DEVICE_CLASS = DeviceClassStrategy()
