"""Table columns of rbac.authorization.k8s.io; roles have upstream's default columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, described
from kctl.kube_apiserver.columns.core import created


def _binding(obj: Object, now: datetime) -> list[Any]:
    role = obj.get("roleRef") or {}
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        kind, name = subject.get("kind") or "", subject.get("name") or ""
        if kind in subjects:
            subjects[kind].append(f"{subject.get('namespace') or ''}/{name}" if kind == "ServiceAccount" else name)
    shown = [", ".join(subject_names) for subject_names in subjects.values()]
    return [objects.name(obj), f"{role.get('kind') or ''}/{role.get('name') or ''}", created(obj, now), *shown]


def _columns(kind: str, shown: str) -> Columns:
    return Columns(
        (
            NAME,
            described("Role", f"{kind}.roleRef"),
            AGE,
            Column("Users", f"Users in the {shown}", priority=1),
            Column("Groups", f"Groups in the {shown}", priority=1),
            Column("ServiceAccounts", f"ServiceAccounts in the {shown}", priority=1),
        ),
        _binding,
    )


COLUMNS: dict[str, Columns] = {
    "rolebindings.rbac.authorization.k8s.io": _columns("RoleBinding", "roleBinding"),
    "clusterrolebindings.rbac.authorization.k8s.io": _columns("ClusterRoleBinding", "clusterRoleBinding"),
}
