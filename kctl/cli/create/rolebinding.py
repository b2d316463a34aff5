"""kctl create rolebinding and clusterrolebinding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from kctl.cli import options
from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags, require_flags
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session

Command = TypeVar("Command", bound=Callable[..., Any])
_GROUP = "rbac.authorization.k8s.io"


def _subject_flags() -> Callable[[Command], Command]:
    return options.apply_all(
        flag("--user", kind="array", help="Usernames to bind to the role. The flag can be repeated to add multiple users."),
        flag("--group", kind="array", help="Groups to bind to the role. The flag can be repeated to add multiple groups."),
        flag(
            "--serviceaccount",
            kind="array",
            help="Service accounts to bind to the role, in the format <namespace>:<name>. The flag can be repeated to add multiple service accounts.",
        ),
    )


@click.command(
    "rolebinding",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a role binding for a particular role or cluster role",
    usage="NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
)
@flag("--clusterrole", help="ClusterRole this RoleBinding should reference")
@flag("--role", help="Role this RoleBinding should reference")
@_subject_flags()
@generator_flags()
async def command(session: Session, arguments: tuple[str, ...], clusterrole: str, role: str, **flags: Any) -> None:
    """Create a role binding for a particular role or cluster role."""
    subjects = _subjects(flags)
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    if bool(clusterrole) == bool(role):
        raise CommandError("exactly one of clusterrole or role must be specified")
    reference = ("ClusterRole", clusterrole) if clusterrole else ("Role", role)
    await generator.run(_binding("RoleBinding", name, subjects, *reference), failure="failed to create rolebinding: ")


@click.command(
    "clusterrolebinding",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a cluster role binding for a particular cluster role",
    usage="NAME --clusterrole=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
)
@flag("--clusterrole", help="ClusterRole this ClusterRoleBinding should reference")
@_subject_flags()
@generator_flags()
async def cluster(session: Session, arguments: tuple[str, ...], clusterrole: str, **flags: Any) -> None:
    """Create a cluster role binding for a particular cluster role."""
    subjects = _subjects(flags)
    generator = Generator.of(session, flags)
    require_flags(session, "clusterrole")
    name = exactly_one_name(session, arguments)
    obj = _binding("ClusterRoleBinding", name, subjects, "ClusterRole", clusterrole)
    await generator.run(obj, failure="failed to create clusterrolebinding: ")


def _subjects(flags: dict[str, Any]) -> list[dict[str, str]]:
    """Takes the subject flags out of `flags`."""
    found = [{"kind": "User", "apiGroup": _GROUP, "name": one} for one in flags.pop("user")]
    found += [{"kind": "Group", "apiGroup": _GROUP, "name": one} for one in flags.pop("group")]
    for account in flags.pop("serviceaccount"):
        parts = account.split(":")
        if len(parts) != 2 or not all(parts):
            raise CommandError("serviceaccount must be <namespace>:<name>")
        found.append({"kind": "ServiceAccount", "name": parts[1], "namespace": parts[0]})
    return found


def _binding(kind: str, name: str, subjects: Sequence[dict[str, str]], role_kind: str, role: str) -> dict[str, Any]:
    obj: dict[str, Any] = {"kind": kind, "apiVersion": f"{_GROUP}/v1", "metadata": {"name": name}}
    if subjects:
        obj["subjects"] = list(subjects)
    return {**obj, "roleRef": {"apiGroup": _GROUP, "kind": role_kind, "name": role}}
