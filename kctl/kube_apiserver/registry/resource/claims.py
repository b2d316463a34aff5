"""ResourceClaims, ResourceClaimTemplates and DeviceClasses of dynamic resource allocation."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.resource.internal_claim import OPAQUE, fully_qualified, toleration
from kctl.kube_apiserver.registry.rules.language import Field, each, field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.rules.template_metadata import TEMPLATE_METADATA
from kctl.kube_apiserver.registry.strategy import Context

Spec = dict[str, Any]
MAX_REQUESTS = 32
MAX_SELECTORS = 32
MAX_FIRST_AVAILABLE = 8
MAX_EXPRESSION = 10 * 1024
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
_ONE_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
_ONE_KIND = "exactly one of `exactly` or `firstAvailable` is required"


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
            for tolerated in detail.get("tolerations") or ():
                tolerated["operator"] = tolerated.get("operator") or "Equal"


def _limited(name: str, most: int, *rules: Any, unique: str = "", **options: Any) -> Field:
    """A list that is not looked into where it is too long; names that repeat are found at the list's own items."""
    inner = each(*rules)

    def check(items: list[Any], path: str, root: Any) -> list[FieldError]:
        if len(items) > most:
            return [field_errors.too_many(path, len(items), most)]
        errors = inner.errors_at(items, path, root)
        return errors + field_checks.unique(path, (item.get(unique) or "" for item in items)) if unique else errors

    return field(name, check, zero=(), **options)


def _expression(text: str, path: str) -> list[FieldError]:
    from kctl.kube_apiserver.cel.program import CompileError, Program
    from kctl.kube_apiserver.cel.types import BOOL, DYN, shown

    if len(text.encode()) > MAX_EXPRESSION:
        return [field_errors.too_long(path, MAX_EXPRESSION)]
    try:
        kind = Program(text, {"device": DYN}).type
    except CompileError as error:
        return [field_errors.invalid(path, text, str(error))]
    if kind in (BOOL, DYN):
        return []
    return [field_errors.invalid(path, text, f"must evaluate to bool or the unknown type, not {shown(kind)}")]


def _count(detail: Any, path: str) -> list[FieldError]:
    mode, count = detail.get("allocationMode"), detail.get("count") or 0
    if mode == "All" and count:
        return [field_errors.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")]
    if mode == "ExactCount" and count <= 0:
        return [field_errors.invalid(f"{path}.count", count, "must be greater than zero")]
    return []


_SELECTORS = _limited("selectors", MAX_SELECTORS, struct(pointer("cel", struct(field("expression", _expression)), required=True)))
_DETAIL = (
    field("deviceClassName", names.dns1123_subdomain, required=True),
    _SELECTORS,
    _count,
    field("allocationMode", enum=("All", "ExactCount")),
    field("tolerations", each(toleration(_EFFECTS))),
)
_NAME = field("name", names.dns1123_label)
_EXACTLY = struct(*_DETAIL)
_ALTERNATIVES = struct(_limited("firstAvailable", MAX_FIRST_AVAILABLE, struct(_NAME, *_DETAIL), unique="name"))


def _details(request: Any, path: str) -> list[FieldError]:
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable")
    if exactly is None and "deviceClassName" in request:  # v1beta1
        return _EXACTLY.errors_at(request, path)
    if exactly is None and not alternatives:
        return [field_errors.required(path, _ONE_KIND)]
    if exactly is not None and alternatives:
        return [field_errors.invalid(path, None, f"{_ONE_KIND}, but multiple fields are set")]
    return _ALTERNATIVES.errors_at(request, path) if exactly is None else _EXACTLY.errors_at(exactly, f"{path}.exactly")


def _references(wanted: list[str], path: str, root: Any) -> list[FieldError]:
    spec = objects.spec(root)
    requests = ((spec.get("devices") or (spec.get("spec") or {}).get("devices")) or {}).get("requests") or ()
    known = {
        request.get("name") or "": [alternative.get("name") or "" for alternative in request.get("firstAvailable") or ()]
        for request in requests
    }
    errors: list[FieldError] = []
    for index, name in enumerate(wanted):
        where, parts = f"{path}[{index}]", name.split("/")
        if len(parts) <= 2:
            for part in parts:
                errors += names.errors(where, part, names.dns1123_label)
        if len(parts) > 2 or parts[0] not in known or (len(parts) == 2 and parts[1] not in known[parts[0]]):
            errors.append(field_errors.invalid(where, name, _REFERENCE))
    return errors + field_checks.unique(path, wanted)


def _attribute(constraint: Any, path: str) -> list[FieldError]:
    for name in ("matchAttribute", "distinctAttribute"):
        if constraint.get(name) is not None:
            return fully_qualified(constraint[name], f"{path}.{name}")
    return [field_errors.required(path, _ONE_ATTRIBUTE)]


_REFERENCES = field("requests", _references, zero=())
_CLAIM = struct(
    field(
        "devices",
        struct(
            _limited("requests", MAX_REQUESTS, struct(_NAME, _details), unique="name"),
            _limited("constraints", MAX_REQUESTS, struct(_REFERENCES, _attribute)),
            _limited("config", MAX_REQUESTS, struct(_REFERENCES, OPAQUE)),
        ),
    )
)


class ResourceClaimStrategy(RuledStrategy):
    returns_deleted_object = True
    has_generation = False
    status_keeps_metadata = True
    rules = struct(field("spec", _CLAIM))

    def default(self, context: Context, obj: Object) -> None:
        default_claim_spec(obj.setdefault("spec", {}))

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


class ResourceClaimTemplateStrategy(RuledStrategy):
    returns_deleted_object = True
    has_generation = False
    rules = struct(
        field(
            "spec",
            struct(
                field("metadata", TEMPLATE_METADATA),
                field("spec", _CLAIM),
            ),
        )
    )

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("metadata", {})
        default_claim_spec(spec.setdefault("spec", {}))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return _unchanged("ResourceClaimTemplateSpec", obj, old)


def _unchanged(type_name: str, obj: Object, old: Object) -> list[FieldError]:
    new, before = (go_form(f"resource.v1.{type_name}", objects.spec(side)) for side in (obj, old))
    return [] if new == before else [field_errors.invalid("spec", new, field_checks.IMMUTABLE)]


def _extended(name: str) -> list[str]:
    """A resource of a domain that is not Kubernetes' own."""
    native = "/" not in name or "kubernetes.io/" in name
    foreign = not native and not name.startswith("requests.") and not names.qualified_name(f"requests.{name}")
    return [] if foreign else ["must be a valid extended resource name"]


class DeviceClassStrategy(RuledStrategy):
    returns_deleted_object = True
    rules = struct(field("spec", struct(_SELECTORS, field("config", each(struct(OPAQUE))), pointer("extendedResourceName", _extended))))


CLAIM = ResourceClaimStrategy()
CLAIM_TEMPLATE = ResourceClaimTemplateStrategy()
DEVICE_CLASS = DeviceClassStrategy()
