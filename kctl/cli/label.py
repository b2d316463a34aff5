"""kctl label."""

from __future__ import annotations

from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.metadata_edit import edit, edit_flags
from kctl.cli.session import Session


@click.command(
    "label",
    cls=KubectlCommand,
    short_help="Update the labels on a resource",
    usage="[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]",
)
@edit_flags("label", "labels")
async def command(session: Session, arguments: tuple[str, ...], **more: Any) -> None:
    """Update the labels on a resource.

    KEY=VALUE sets, KEY- removes. Existing values are only changed with --overwrite.
    """
    await edit(session, arguments, ("label", "labels", "labeled"), **more)
