"""ResourceQuotas: names of countable things, scopes that fit them, scopes that never change."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_SCOPES = (
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)
_POD_COMPUTE = frozenset(
    {
        "cpu",
        "memory",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
    }
)
_QUOTA_RESOURCES = field_checks.STANDARD_RESOURCES - {"storage"}
_EXISTS_ONLY = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")


class ResourceQuotaStrategy(Strategy):
    has_generation = False
    returns_deleted_object = True

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors: list[FieldError] = []
        for name in sorted(spec.get("hard") or {}):
            path = f"spec.hard[{name}]"
            errors += _quota_name(path, name)
            errors += field_checks.resource_value(path, name, spec["hard"][name])
        return errors + _scopes(spec) + _scope_selector(spec)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        new, before = objects.spec(obj).get("scopes") or [], objects.spec(old).get("scopes") or []
        if set(new) != set(before):
            errors.append(field_errors.invalid("spec.scopes", new, field_checks.IMMUTABLE))
        return errors

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        for field in ("hard", "used"):
            values = objects.status(obj).get(field) or {}
            for name in sorted(values):
                path = f"status.{field}[{name}]"
                errors += _quota_name(path, name) + field_checks.resource_value(path, name, values[name])
        return errors


def _quota_name(path: str, name: str) -> list[FieldError]:
    errors = field_checks.resource_name(path, name)
    if "/" not in name and not _is_quota_resource(name):
        errors.append(field_errors.invalid(path, name, "must be a standard resource for quota"))
    return errors


def _is_quota_resource(name: str) -> bool:
    return name in _QUOTA_RESOURCES or field_checks.is_huge_page(name)


def _fits(scope: str, resource: str) -> bool:
    if scope not in _SCOPES or not _is_quota_resource(resource):
        return True
    if scope == "BestEffort":
        return resource == "pods"
    if scope == "VolumeAttributesClass":
        return resource in ("persistentvolumeclaims", "requests.storage")
    return resource in _POD_COMPUTE


def _scopes(spec: dict[str, Any]) -> list[FieldError]:
    scopes, hard = spec.get("scopes") or [], spec.get("hard") or {}
    errors: list[FieldError] = []
    for scope in scopes:
        if scope not in _SCOPES:
            errors.append(field_errors.invalid("spec.scopes", scopes, "unsupported scope"))
        misfits = [name for name in hard if not _fits(scope, name)]
        errors += [field_errors.invalid("spec.scopes", scopes, "unsupported scope applied to resource")] * len(misfits)
    return errors + _conflicts("spec.scopes", set(scopes), scopes)


def _conflicts(path: str, names: set[str], shown: list[str] | None) -> list[FieldError]:
    pairs = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
    return [field_errors.invalid(path, shown, "conflicting scopes") for pair in pairs if pair <= names]


def _scope_selector(spec: dict[str, Any]) -> list[FieldError]:
    expressions = (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    path, errors = "spec.scopeSelector.matchExpressions", list[FieldError]()
    for expression in expressions:
        scope, operator, values = (expression.get(key) for key in ("scopeName", "operator", "values"))
        if scope not in _SCOPES:
            errors.append(field_errors.invalid(f"{path}.scopeName", scope or "", "unsupported scope"))
        for name in spec.get("hard") or ():
            if not _fits(scope or "", name):
                why = "unsupported scope applied to resource"
                errors.append(field_errors.invalid(path, go_form("core.v1.ScopeSelector", spec["scopeSelector"]), why))
        if scope in _EXISTS_ONLY and operator != "Exists":
            why = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            why += "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
            why += "ResourceQuotaScopeCrossNamespacePodAffinity"
            errors.append(field_errors.invalid(f"{path}.operator", operator or "", why))
        if operator in ("In", "NotIn") and not values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors.append(field_errors.required(f"{path}.values", why))
        elif operator in ("Exists", "DoesNotExist") and values:
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            errors.append(field_errors.invalid(f"{path}.values", values, why))
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            errors.append(field_errors.invalid(f"{path}.operator", operator or "", "not a valid selector operator"))
    return errors + _conflicts(path, {requirement.get("scopeName") or "" for requirement in expressions}, spec.get("scopes") or None)


STRATEGY = ResourceQuotaStrategy()
