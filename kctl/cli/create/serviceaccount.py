"""kctl create serviceaccount."""

from __future__ import annotations

from kctl.cli.create.generator import Generator


class CreateServiceAccount(Generator):
    """Create a service account with the specified name."""

    name = "serviceaccount"
    usage = "NAME [--dry-run=server|client|none]"

    async def run(self) -> None:
        name = self.object_name
        await self.create(
            {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": name}},
            failure="failed to create serviceaccount: ",
        )
