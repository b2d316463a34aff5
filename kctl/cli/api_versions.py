"""kctl api-versions: every group/version the server serves."""

from __future__ import annotations

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.errors import UsageError
from kctl.cli.session import Session


@click.command(
    "api-versions",
    cls=KubectlCommand,
    blocking=True,
    short_help='Print the supported API versions on the server, in the form of "group/version"',
)
async def command(session: Session, arguments: tuple[str, ...]) -> None:
    """Print the supported API versions on the server, in the form of "group/version"."""
    if arguments:
        raise UsageError(f"unexpected arguments: [{' '.join(arguments)}]")
    types = await (await session.mapper()).refresh()
    for version in sorted({one.api_version for one in types}):
        session.print(version)
