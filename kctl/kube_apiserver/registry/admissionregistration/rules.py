"""What webhooks and admission policies share: rules about operations and resources, match conditions, selectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.admissionregistration import expressions
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector

Rule = dict[str, Any]
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
VARIABLES = ("object", "oldObject", "request", "authorizer", "namespaceObject")
_SCOPES = ("*", "Cluster", "Namespaced")
_MAX_CONDITIONS = 64


def default_rules(rules: list[Rule] | None) -> None:
    for rule in rules or ():
        if rule.get("scope") is None:
            rule["scope"] = "*"


def rule_errors(rule: Rule, path: str) -> list[FieldError]:
    operations, here = rule.get("operations") or [], f"{path}.operations"
    errors = field_checks.required(here, operations)
    errors += _alone(here, operations, "operations")
    for index, operation in enumerate(operations):
        errors += field_checks.enum(f"{here}[{index}]", operation, OPERATIONS)
    for field, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        values = rule.get(field) or []
        errors += field_checks.required(f"{path}.{field}", values)
        errors += _alone(f"{path}.{field}", values, what)
    for index, version in enumerate(rule.get("apiVersions") or ()):
        errors += field_checks.required(f"{path}.apiVersions[{index}]", version)
    errors += _resources(rule.get("resources") or [], f"{path}.resources")
    if rule.get("scope") is not None:
        errors += field_checks.enum(f"{path}.scope", rule["scope"], _SCOPES)
    return errors


def _alone(path: str, values: list[str], what: str) -> list[FieldError]:
    if len(values) > 1 and "*" in values:
        return [field_errors.invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def _resources(resources: list[str], path: str) -> list[FieldError]:
    errors = field_checks.required(path, resources)
    wide: set[str] = set()
    sub_wide: set[str] = set()
    plain = False
    for index, text in enumerate(resources):
        here = f"{path}[{index}]"
        if not text:
            errors.append(field_errors.required(here))
            continue
        resource, slash, sub = text.partition("/")
        if not slash:
            plain = text != "*"
            continue
        if resource in wide:
            errors.append(field_errors.invalid(here, text, f"if '{resource}/*' is present, must not specify {text}"))
        if sub in sub_wide:
            errors.append(field_errors.invalid(here, text, f"if '*/{sub}' is present, must not specify {text}"))
        if sub == "*":
            wide.add(resource)
        if resource == "*":
            sub_wide.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        errors.append(field_errors.invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and plain:
        why = "if '*' is present, must not specify other resources without subresources"
        errors.append(field_errors.invalid(path, resources, why))
    return errors


def expression_errors(path: str, expression: str, declared: Iterable[str], wanted: str) -> list[FieldError]:
    """A CEL expression that does not compile, or evaluates to something else than `wanted`."""
    problem = expressions.problem(expression, declared, wanted)
    return [field_errors.invalid(path, expression, problem)] if problem else []


def match_condition_errors(conditions: list[dict[str, Any]] | None, path: str, declared: Iterable[str] = VARIABLES) -> list[FieldError]:
    given = conditions or []
    errors: list[FieldError] = []
    if len(given) > _MAX_CONDITIONS:
        errors.append(field_errors.too_many(path, len(given), _MAX_CONDITIONS))
    seen: set[str] = set()
    for index, condition in enumerate(given):
        here, name = f"{path}[{index}]", condition.get("name") or ""
        expression = (condition.get("expression") or "").strip()
        if expression:
            errors += expression_errors(f"{here}.expression", expression, declared, expressions.BOOL)
        else:
            errors.append(field_errors.required(f"{here}.expression"))
        errors += field_checks.required_name(f"{here}.name", name, names.qualified_name)
        if name and name in seen:
            errors.append(field_errors.duplicate(f"{here}.name", name))
        seen.add(name)
    return errors


def default_match_resources(resources: dict[str, Any] | None) -> None:
    if resources is None:
        return
    if resources.get("matchPolicy") is None:
        resources["matchPolicy"] = "Equivalent"
    resources.setdefault("namespaceSelector", {})
    resources.setdefault("objectSelector", {})
    default_rules(resources.get("resourceRules"))
    default_rules(resources.get("excludeResourceRules"))


def match_resources_errors(resources: dict[str, Any] | None, path: str) -> list[FieldError]:
    if resources is None:
        return []
    errors = field_checks.required_enum(f"{path}.matchPolicy", resources.get("matchPolicy"), MATCH_POLICIES)
    for field in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(resources.get(field), f"{path}.{field}")
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(resources.get(field) or ()):
            here = f"{path}.{field}[{index}]"
            wanted = rule.get("resourceNames") or []
            for number, name in enumerate(wanted):
                errors += names.errors(f"{here}.resourceNames[{number}]", name, names.path_segment_name)
            errors += field_checks.unique(f"{here}.resourceNames", wanted)
            errors += rule_errors(rule, here)
    return errors
