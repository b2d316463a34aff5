"""RoleBindings and ClusterRoleBindings: one role, never another; subjects with their API groups."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry.rbac.escalation import check_binding
from kctl.kube_apiserver.registry.rules.checks import only_if_set
from kctl.kube_apiserver.registry.rules.language import Struct, each, field, struct, when
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

GROUP = "rbac.authorization.k8s.io"


def _is(*kinds: str) -> Any:
    return lambda subject: subject.get("kind") in kinds


def _binding(roles: tuple[str, ...], *of_accounts: Any) -> Struct:
    role = struct(
        field("apiGroup", enum=(GROUP,), default=GROUP),
        field("kind", enum=roles),
        field("name", names.path_segment_name, required=True),
    )
    account = when(_is("ServiceAccount"), field("name", only_if_set(names.dns1123_subdomain)), field("apiGroup", enum=("",)), *of_accounts)
    someone = when(_is("User", "Group"), field("apiGroup", enum=(GROUP,)))
    subject = struct(field("name", required=True), account, someone, field("kind", enum=("ServiceAccount", "User", "Group")))
    return struct(field("roleRef", role, default={}), field("subjects", each(subject)))


class BindingStrategy(RuledStrategy):
    allow_create_on_update = True
    needs_permission = True
    has_generation = False
    name_validator = "path_segment"
    rules = _binding(("Role", "ClusterRole"))

    def default(self, context: Context, obj: Object) -> None:
        super().default(context, obj)
        for subject in obj.get("subjects") or ():
            if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
                subject["apiGroup"] = GROUP

    def check_permission(self, context: Context, obj: Object, old: Object | None) -> None:
        check_binding(context, obj, old)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        if obj.get("roleRef") != old.get("roleRef"):
            errors.append(field_errors.invalid("roleRef", go_form("rbac.v1.RoleRef", obj.get("roleRef")), "cannot change roleRef"))
        return errors


class ClusterBindingStrategy(BindingStrategy):
    rules = _binding(("ClusterRole",), field("namespace", required=True))


ROLE_BINDING = BindingStrategy()
CLUSTER_ROLE_BINDING = ClusterBindingStrategy()
