"""RoleBindings and ClusterRoleBindings: one role, never another; subjects with their API groups."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

GROUP = "rbac.authorization.k8s.io"
_EMPTY = {"User": "user name cannot be empty", "Group": "group name cannot be empty"}


class BindingStrategy(Strategy):
    allow_create_on_update = True
    has_generation = False
    name_validator = "path_segment"
    namespaced = True
    roles: tuple[str, ...] = ("Role", "ClusterRole")

    def default(self, context: Context, obj: Object) -> None:
        reference = obj.setdefault("roleRef", {})
        if not reference.get("apiGroup"):
            obj["roleRef"] = {**reference, "apiGroup": GROUP}
        for subject in obj.get("subjects") or ():
            if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
                subject["apiGroup"] = GROUP

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        reference = obj.get("roleRef") or {}
        errors = field_checks.enum("roleRef.apiGroup", reference.get("apiGroup") or "", (GROUP,))
        errors += field_checks.enum("roleRef.kind", reference.get("kind") or "", self.roles)
        errors += field_checks.required_name("roleRef.name", reference.get("name"), names.path_segment_name)
        for index, subject in enumerate(obj.get("subjects") or ()):
            errors += _subject(subject, f"subjects[{index}]", self.namespaced)
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        if obj.get("roleRef") != old.get("roleRef"):
            errors.append(field_errors.invalid("roleRef", go_form("rbac.v1.RoleRef", obj.get("roleRef")), "cannot change roleRef"))
        return errors


class ClusterBindingStrategy(BindingStrategy):
    namespaced = False
    roles = ("ClusterRole",)


def _subject(subject: dict[str, Any], path: str, namespaced: bool) -> list[FieldError]:
    kind, name, group = subject.get("kind") or "", subject.get("name") or "", subject.get("apiGroup") or ""
    errors = field_checks.required(f"{path}.name", name)
    match kind:
        case "ServiceAccount":
            if name:
                errors += names.errors(f"{path}.name", name, names.dns1123_subdomain)
            errors += field_checks.enum(f"{path}.apiGroup", group, ("",))
            if not namespaced:
                errors += field_checks.required(f"{path}.namespace", subject.get("namespace"))
        case "User" | "Group":
            errors += field_checks.enum(f"{path}.apiGroup", group, (GROUP,))
        case _:
            errors += field_checks.enum(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))
    return errors


ROLE_BINDING = BindingStrategy()
CLUSTER_ROLE_BINDING = ClusterBindingStrategy()
