"""kctl create namespace."""

from __future__ import annotations

from kctl.cli.create.generator import Generator


class CreateNamespace(Generator):
    """Create a namespace with the specified name."""

    name = "namespace"
    usage = "NAME [--dry-run=server|client|none]"

    async def run(self) -> None:
        name = self.object_name
        await self.create({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}, "spec": {}, "status": {}})
