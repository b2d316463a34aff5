"""kctl options: the flags every command takes."""

from __future__ import annotations

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.help import options_help
from kctl.cli.session import Session


@click.command("options", cls=KubectlCommand, short_help="Print the list of flags inherited by all commands")
def command(session: Session, arguments: tuple[str, ...]) -> None:
    """Print the list of flags inherited by all commands."""
    session.print(options_help())
