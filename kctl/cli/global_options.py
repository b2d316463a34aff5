"""kctl options: the flags every command takes."""

from __future__ import annotations

from kctl.cli.command import Command
from kctl.cli.help import options_help


class Options(Command):
    """Print the list of flags inherited by all commands."""

    name = "options"

    def run(self) -> None:
        self.session.print(options_help())
