"""kctl's own commands (`run-cluster`, `cluster`), which are click commands, run within kctl's rules for output and exit codes."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kctl.cli.errors import Exit
from kctl.cli.session import Session


def run_click(command: click.Command, words: Sequence[str], session: Session) -> None:
    """A group without a sub-command prints its help and succeeds, whichever version of click it is."""
    if isinstance(command, click.Group) and not words:
        words = ["--help"]
    try:
        code = command.main(args=list(words), prog_name=session.program, standalone_mode=False, obj=session)
    except click.Abort:
        raise Exit(130) from None
    except click.ClickException as error:
        session.error(f"error: {error.format_message()}")
        raise Exit(1) from None
    if isinstance(code, int) and code:
        raise Exit(code)
