"""kctl create quota."""

from __future__ import annotations

from typing import Any

import click

from kctl.apimachinery.quantity import canonical
from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session


@click.command(
    "quota",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a quota with the specified name",
    usage="NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [--dry-run=server|client|none]",
)
@flag("--hard", help="A comma-delimited set of resource=quantity pairs that define a hard limit.")
@flag("--scopes", help="A comma-delimited set of quota scopes that must all match each object tracked by the quota.")
@generator_flags()
async def command(session: Session, arguments: tuple[str, ...], hard: str, scopes: str, **flags: Any) -> None:
    """Create a resource quota with the specified name, hard limits, and optional scopes."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    spec: dict[str, Any] = {}
    limits = dict(_limit(pair) for pair in hard.split(",")) if hard else {}
    if limits:
        spec["hard"] = dict(sorted(limits.items()))
    if scopes:
        spec["scopes"] = scopes.split(",")
        if not all(spec["scopes"]):
            raise CommandError('invalid resource quota scope ""')
    obj = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": name}, "spec": spec, "status": {}}
    await generator.run(obj, failure="failed to create quota: ")


def _limit(pair: str) -> tuple[str, str]:
    parts = pair.split("=")
    if len(parts) != 2:
        raise CommandError(f"Invalid argument syntax {pair}, expected <resource>=<value>")
    try:
        return parts[0], canonical(parts[1])
    except ValueError as error:
        raise CommandError(str(error)) from None
