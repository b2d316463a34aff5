"""kctl create serviceaccount."""

from __future__ import annotations

from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.session import Session


@click.command(
    "serviceaccount",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a service account with the specified name",
    usage="NAME [--dry-run=server|client|none]",
)
@generator_flags()
async def command(session: Session, arguments: tuple[str, ...], **flags: Any) -> None:
    """Create a service account with the specified name."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    await generator.run(
        {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": name}},
        failure="failed to create serviceaccount: ",
    )
