"""kctl config: get-clusters, get-users, delete-cluster, delete-user."""

from __future__ import annotations

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.config.files import ConfigFiles
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.session import Session


def _names(session: Session, section: str) -> None:
    for name in ("NAME", *sorted(ConfigFiles(session).merged().section(section))):
        session.print(name)


@click.command("get-clusters", cls=KubectlCommand, short_help="Display clusters defined in the kubeconfig")
def get_clusters(session: Session, arguments: tuple[str, ...]) -> None:
    """Display clusters defined in the kubeconfig."""
    _names(session, "clusters")


@click.command("get-users", cls=KubectlCommand, short_help="Display users defined in the kubeconfig")
def get_users(session: Session, arguments: tuple[str, ...]) -> None:
    """Display users defined in the kubeconfig."""
    _names(session, "users")


def _delete(session: Session, arguments: tuple[str, ...], section: str, what: str) -> None:
    files = ConfigFiles(session)
    if arguments[0] not in files.merged().section(section):
        raise CommandError(f"cannot delete {what} {arguments[0]}, not in {files.default()}")
    files.remove(section, arguments[0])
    session.print(f"deleted {what} {arguments[0]} from {files.default()}")


@click.command(
    "delete-cluster",
    cls=KubectlCommand,
    short_help="Delete the specified cluster from the kubeconfig",
    usage="NAME",
    examples="  # Delete the minikube cluster\n  kctl config delete-cluster minikube\n",
)
def delete_cluster(session: Session, arguments: tuple[str, ...]) -> None:
    """Delete the specified cluster from the kubeconfig."""
    if len(arguments) != 1:
        click.echo(click.get_current_context().get_help(), nl=False)
        return
    _delete(session, arguments, "clusters", "cluster")


@click.command(
    "delete-user",
    cls=KubectlCommand,
    short_help="Delete the specified user from the kubeconfig",
    usage="NAME",
    examples="  # Delete the minikube user\n  kctl config delete-user minikube\n",
)
def delete_user(session: Session, arguments: tuple[str, ...]) -> None:
    """Delete the specified user from the kubeconfig."""
    if not arguments:
        raise UsageError("user to delete is required")
    _delete(session, arguments, "users", "user")
