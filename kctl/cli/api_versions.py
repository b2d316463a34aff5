"""kctl api-versions: every group/version the server serves."""

from __future__ import annotations

from kctl.cli.command import Command
from kctl.cli.errors import UsageError


class ApiVersions(Command):
    """Print the supported API versions on the server, in the form of "group/version"."""

    name = "api-versions"
    blocking = True

    async def run(self) -> None:
        if self.arguments:
            raise UsageError(f"unexpected arguments: [{' '.join(self.arguments)}]")
        types = await (await self.session.mapper()).refresh()
        for version in sorted({resource.api_version for resource in types}):
            self.session.print(version)
