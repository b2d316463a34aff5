"""kctl config current-context, get-contexts, get-clusters, get-users."""

from __future__ import annotations

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.errors import CommandError, UsageError, raise_all
from kctl.cli.flags import flag
from kctl.cli.session import Session
from kctl.printers.table import TableWriter


def _print_table(session: Session, rows: list[list[str]]) -> None:
    session.write(TableWriter().format(rows))


@click.command("current-context", cls=KubectlCommand, short_help="Display the current-context")
def current_context(session: Session, arguments: tuple[str, ...]) -> None:
    """Display the current-context."""
    if not session.kubeconfig.current_context:
        raise CommandError("current-context is not set")
    session.print(session.kubeconfig.current_context)


@click.command(
    "get-contexts", cls=KubectlCommand, short_help="Describe one or many contexts", usage="[(-o|--output=)name)]"
)
@flag(
    "--no-headers",
    kind="bool",
    help="When using the default or custom-column output format, don't print headers (default print headers).",
)
@flag("-o", "--output", help="Output format. One of: (name).")
def get_contexts(session: Session, arguments: tuple[str, ...], no_headers: bool, output: str) -> None:
    """Display one or many contexts from the kubeconfig file."""
    if output not in ("", "name"):
        raise CommandError(f"--output {output} is not available in kctl config get-contexts; one of name is expected")
    config = session.kubeconfig
    errors: list[Exception] = []
    names = sorted(config.contexts)
    if arguments:
        errors = [CommandError(f"context {name} not found") for name in arguments if name not in config.contexts]
        names = sorted(name for name in arguments if name in config.contexts)
    rows = [] if no_headers or output else [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
    for name in names:
        context = config.contexts[name]
        if output:
            session.print(name)
            continue
        mark = "*" if name == config.current_context else ""
        rows.append([mark, name, *(str(context.get(field) or "") for field in ("cluster", "user", "namespace"))])
    if rows:
        _print_table(session, rows)
    raise_all(errors)


@click.command("get-clusters", cls=KubectlCommand, short_help="Display clusters defined in the kubeconfig")
def get_clusters(session: Session, arguments: tuple[str, ...]) -> None:
    """Display clusters defined in the kubeconfig."""
    _names(session, arguments, "clusters")


@click.command("get-users", cls=KubectlCommand, short_help="Display users defined in the kubeconfig")
def get_users(session: Session, arguments: tuple[str, ...]) -> None:
    """Display users defined in the kubeconfig."""
    _names(session, arguments, "users")


def _names(session: Session, arguments: tuple[str, ...], plural: str) -> None:
    if arguments:
        raise UsageError("unexpected arguments")
    session.print("NAME")
    for name in sorted(session.kubeconfig.section(plural)):
        session.print(name)
