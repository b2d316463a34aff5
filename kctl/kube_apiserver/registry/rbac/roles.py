"""Roles and ClusterRoles: their policy rules."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.rbac.escalation import check_role
from kctl.kube_apiserver.registry.rules.language import each, field, pointer, struct, when
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context


def _only_urls(rule: Any, path: str) -> list[FieldError]:
    regular = rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames")
    why = "rules cannot apply to both regular resources and non-resource URLs"
    return [field_errors.invalid(f"{path}.nonResourceURLs", rule["nonResourceURLs"], why)] if regular else []


def _of_cluster(urls: list[str]) -> list[str]:
    return ["namespaced rules cannot apply to non-resource URLs"]


_VERBS = field("verbs", required="verbs must contain at least one value")
_RESOURCES = when(
    lambda rule: not rule.get("nonResourceURLs"),
    field("apiGroups", required="resource rules must supply at least one api group"),
    field("resources", required="resource rules must supply at least one resource"),
)
_URLS = when(lambda rule: rule.get("nonResourceURLs"), _only_urls)
_NAMESPACED_URLS = when(lambda rule: rule.get("nonResourceURLs"), field("nonResourceURLs", _of_cluster))
_SELECTORS = field(
    "clusterRoleSelectors",
    each(validate_label_selector),
    required="at least one clusterRoleSelector required if aggregationRule is non-nil",
)


class RoleStrategy(RuledStrategy):
    allow_create_on_update = True
    needs_permission = True
    has_generation = False
    name_validator = "path_segment"
    rules = struct(field("rules", each(struct(_VERBS, _NAMESPACED_URLS, _URLS, _RESOURCES))))

    def check_permission(self, context: Context, obj: Object, old: Object | None) -> None:
        check_role(context, obj, old)


class ClusterRoleStrategy(RoleStrategy):
    rules = struct(field("rules", each(struct(_VERBS, _URLS, _RESOURCES))), pointer("aggregationRule", struct(_SELECTORS)))


ROLE = RoleStrategy()
CLUSTER_ROLE = ClusterRoleStrategy()
