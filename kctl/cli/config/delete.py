"""kctl config delete-context, delete-cluster, delete-user."""

from __future__ import annotations

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.config.files import default_path, set_entry
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.session import Session


def _delete(session: Session, arguments: tuple[str, ...], what: str, plural: str) -> None:
    if len(arguments) != 1:
        raise UsageError(f"you must specify a {what} to delete" if not arguments else "unexpected arguments")
    name = arguments[0]
    config = session.kubeconfig
    path = config.origin.get((plural, name)) or default_path(session)
    if name not in config.section(plural):
        raise CommandError(f"cannot delete {what} {name}, not in {path}")
    if plural == "contexts" and config.current_context == name:
        session.error(
            'warning: this removed your active context, use "kctl config use-context" to select a different one'
        )
    set_entry(session, plural, name, None)
    session.print(f"deleted {what} {name} from {path}")


@click.command(
    "delete-context", cls=KubectlCommand, short_help="Delete the specified context from the kubeconfig", usage="NAME"
)
def delete_context(session: Session, arguments: tuple[str, ...]) -> None:
    """Delete the specified context from the kubeconfig."""
    _delete(session, arguments, "context", "contexts")


@click.command(
    "delete-cluster", cls=KubectlCommand, short_help="Delete the specified cluster from the kubeconfig", usage="NAME"
)
def delete_cluster(session: Session, arguments: tuple[str, ...]) -> None:
    """Delete the specified cluster from the kubeconfig."""
    _delete(session, arguments, "cluster", "clusters")


@click.command(
    "delete-user", cls=KubectlCommand, short_help="Delete the specified user from the kubeconfig", usage="NAME"
)
def delete_user(session: Session, arguments: tuple[str, ...]) -> None:
    """Delete the specified user from the kubeconfig."""
    _delete(session, arguments, "user", "users")
