"""kctl create rolebinding and clusterrolebinding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.cli.create.generator import Generator
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag

_GROUP = "rbac.authorization.k8s.io"


class SubjectGenerator(Generator):
    """A binding's flags that say whom it is for."""

    user: Sequence[str] = flag(
        "--user", kind="array", help="Usernames to bind to the role. The flag can be repeated to add multiple users."
    )
    group: Sequence[str] = flag(
        "--group", kind="array", help="Groups to bind to the role. The flag can be repeated to add multiple groups."
    )
    serviceaccount: Sequence[str] = flag(
        "--serviceaccount",
        kind="array",
        help="Service accounts to bind to the role, in the format <namespace>:<name>. The flag can be repeated to add multiple service accounts.",
    )

    def subjects(self) -> list[dict[str, str]]:
        subjects = [{"kind": "User", "apiGroup": _GROUP, "name": user} for user in self.user]
        subjects += [{"kind": "Group", "apiGroup": _GROUP, "name": group} for group in self.group]
        for account in self.serviceaccount:
            parts = account.split(":")
            if len(parts) != 2 or not all(parts):
                raise CommandError("serviceaccount must be <namespace>:<name>")
            subjects.append({"kind": "ServiceAccount", "name": parts[1], "namespace": parts[0]})
        return subjects


class CreateRoleBinding(SubjectGenerator):
    """Create a role binding for a particular role or cluster role."""

    name = "rolebinding"
    usage = "NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]"

    clusterrole: str = flag("--clusterrole", help="ClusterRole this RoleBinding should reference")
    role: str = flag("--role", help="Role this RoleBinding should reference")

    async def run(self) -> None:
        subjects = self.subjects()
        name = self.object_name
        if bool(self.clusterrole) == bool(self.role):
            raise CommandError("exactly one of clusterrole or role must be specified")
        reference = ("ClusterRole", self.clusterrole) if self.clusterrole else ("Role", self.role)
        await self.create(_binding("RoleBinding", name, subjects, *reference), failure="failed to create rolebinding: ")


class CreateClusterRoleBinding(SubjectGenerator):
    """Create a cluster role binding for a particular cluster role."""

    name = "clusterrolebinding"
    usage = "NAME --clusterrole=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]"
    required = ("clusterrole",)

    clusterrole: str = flag("--clusterrole", help="ClusterRole this ClusterRoleBinding should reference")

    async def run(self) -> None:
        subjects = self.subjects()
        name = self.object_name
        obj = _binding("ClusterRoleBinding", name, subjects, "ClusterRole", self.clusterrole)
        await self.create(obj, failure="failed to create clusterrolebinding: ")


def _binding(kind: str, name: str, subjects: Sequence[dict[str, str]], role_kind: str, role: str) -> dict[str, Any]:
    obj: dict[str, Any] = {"kind": kind, "apiVersion": f"{_GROUP}/v1", "metadata": {"name": name}}
    if subjects:
        obj["subjects"] = list(subjects)
    return {**obj, "roleRef": {"apiGroup": _GROUP, "kind": role_kind, "name": role}}
