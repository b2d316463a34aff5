"""kctl set subject: who a role is bound to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kctl.apimachinery.objects import Object
from kctl.cli import options
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.set.changing import Changing
from kctl.cli.targets import Target

_RBAC = "rbac.authorization.k8s.io"


class SetSubject(Changing):
    """Add users, groups or service accounts to a role binding or cluster role binding."""

    name = "subject"
    usage = "(-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]"
    examples = """
  # Bind a service account too
  kctl set subject clusterrolebinding admin --serviceaccount=namespace:robot

  # Two users and a group
  kctl set subject rolebinding admin --user=user1 --user=user2 --group=group1
"""
    done = "subjects updated"
    failure = "failed to patch subjects to rolebinding:"

    group: Sequence[str] = flag("--group", kind="array", help="Groups to bind to the role")
    selector: str = options.selector()
    service_account: Sequence[str] = flag("--serviceaccount", kind="array", help="Service accounts to bind to the role")
    user: Sequence[str] = flag("--user", kind="array", help="Usernames to bind to the role")

    def complete(self) -> None:
        self.resources = self.arguments

    def validate(self) -> None:
        if self.all and self.selector:
            raise CommandError("cannot set --all and --selector at the same time")
        if not self.user and not self.group and not self.service_account:
            raise CommandError("you must specify at least one value of user, group or serviceaccount")
        for account in self.service_account:
            if account.count(":") != 1 or account.startswith(":") or account.endswith(":"):
                raise CommandError("serviceaccount must be <namespace>:<name>")
        self.require_resources()

    def changed_object(self, target: Target) -> Object:
        if target.resource.kind not in ("RoleBinding", "ClusterRoleBinding"):
            raise CommandError(
                f"{target.resource.plural}/{target.name} setting subjects is only supported for RoleBinding/ClusterRoleBinding"
            )
        subjects = list(target.object.get("subjects") or ())
        subjects += [subject for subject in self._subjects() if subject not in subjects]
        return {**target.object, "subjects": subjects}

    def _subjects(self) -> Iterator[dict[str, str]]:
        yield from ({"kind": "User", "apiGroup": _RBAC, "name": name} for name in dict.fromkeys(self.user))
        yield from ({"kind": "Group", "apiGroup": _RBAC, "name": name} for name in dict.fromkeys(self.group))
        for account in dict.fromkeys(self.service_account):
            namespace, _, name = account.partition(":")
            yield {"kind": "ServiceAccount", "namespace": namespace, "name": name}
