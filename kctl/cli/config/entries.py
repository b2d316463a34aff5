"""kctl config: get-clusters, get-users, delete-cluster, delete-user."""

from __future__ import annotations

from kctl.cli.command import Command
from kctl.cli.config.files import ConfigFiles
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.session import Session


def _names(session: Session, section: str) -> None:
    for name in ("NAME", *sorted(ConfigFiles(session).merged().section(section))):
        session.print(name)


class ConfigGetClusters(Command):
    """Display clusters defined in the kubeconfig."""

    name = "get-clusters"

    def run(self) -> None:
        _names(self.session, "clusters")


class ConfigGetUsers(Command):
    """Display users defined in the kubeconfig."""

    name = "get-users"

    def run(self) -> None:
        _names(self.session, "users")


def _delete(session: Session, arguments: tuple[str, ...], section: str, what: str) -> None:
    files = ConfigFiles(session)
    if arguments[0] not in files.merged().section(section):
        raise CommandError(f"cannot delete {what} {arguments[0]}, not in {files.default()}")
    files.remove(section, arguments[0])
    session.print(f"deleted {what} {arguments[0]} from {files.default()}")


class ConfigDeleteCluster(Command):
    """Delete the specified cluster from the kubeconfig."""

    name = "delete-cluster"
    usage = "NAME"
    examples = "  # Delete the minikube cluster\n  kctl config delete-cluster minikube\n"

    def run(self) -> None:
        if len(self.arguments) != 1:
            self.print_help()
            return
        _delete(self.session, self.arguments, "clusters", "cluster")


class ConfigDeleteUser(Command):
    """Delete the specified user from the kubeconfig."""

    name = "delete-user"
    usage = "NAME"
    examples = "  # Delete the minikube user\n  kctl config delete-user minikube\n"

    def run(self) -> None:
        if not self.arguments:
            raise UsageError("user to delete is required")
        _delete(self.session, self.arguments, "users", "user")
