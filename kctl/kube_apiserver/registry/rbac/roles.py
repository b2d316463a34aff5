"""Roles and ClusterRoles: their policy rules."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class RoleStrategy(Strategy):
    allow_create_on_update = True
    has_generation = False
    name_validator = "path_segment"
    namespaced = True

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        for index, rule in enumerate(obj.get("rules") or ()):
            errors += policy_rule_errors(rule, f"rules[{index}]", namespaced=self.namespaced)
        return errors


class ClusterRoleStrategy(RoleStrategy):
    namespaced = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = super().validate(context, obj)
        aggregation = obj.get("aggregationRule")
        if aggregation is None:
            return errors
        path, selectors = "aggregationRule.clusterRoleSelectors", aggregation.get("clusterRoleSelectors") or []
        if not selectors:
            errors.append(field_errors.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
        for index, selector in enumerate(selectors):
            errors += validate_label_selector(selector, f"{path}[{index}]")
        return errors


def policy_rule_errors(rule: dict[str, Any], path: str, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if not rule.get("verbs"):
        errors.append(field_errors.required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        here = f"{path}.nonResourceURLs"
        if namespaced:
            errors.append(field_errors.invalid(here, urls, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(field_errors.invalid(here, urls, why))
        return errors
    if not rule.get("apiGroups"):
        errors.append(field_errors.required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(field_errors.required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors


ROLE = RoleStrategy()
CLUSTER_ROLE = ClusterRoleStrategy()
