"""kctl create quota."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.quantity import canonical
from kctl.cli.create.generator import Generator
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag


class CreateQuota(Generator):
    """Create a resource quota with the specified name, hard limits, and optional scopes."""

    name = "quota"
    usage = "NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [--dry-run=server|client|none]"

    hard: str = flag("--hard", help="A comma-delimited set of resource=quantity pairs that define a hard limit.")
    scopes: str = flag("--scopes", help="A comma-delimited set of quota scopes that must all match each object tracked by the quota.")

    async def run(self) -> None:
        name = self.object_name
        spec: dict[str, Any] = {}
        limits = dict(_limit(pair) for pair in self.hard.split(",")) if self.hard else {}
        if limits:
            spec["hard"] = dict(sorted(limits.items()))
        if self.scopes:
            spec["scopes"] = self.scopes.split(",")
            if not all(spec["scopes"]):
                raise CommandError('invalid resource quota scope ""')
        obj = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": name}, "spec": spec, "status": {}}
        await self.create(obj, failure="failed to create quota: ")


def _limit(pair: str) -> tuple[str, str]:
    parts = pair.split("=")
    if len(parts) != 2:
        raise CommandError(f"Invalid argument syntax {pair}, expected <resource>=<value>")
    try:
        return parts[0], canonical(parts[1])
    except ValueError as error:
        raise CommandError(str(error)) from None
