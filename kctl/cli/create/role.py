"""kctl create role."""

from __future__ import annotations

from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.create.rules import check_verbs, rules
from kctl.cli.flags import flag
from kctl.cli.session import Session


@click.command(
    "role",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a role with single rule",
    usage="NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [--dry-run=server|client|none]",
)
@flag("--verb", kind="slice", help="Verb that applies to the resources contained in the rule")
@flag("--resource", kind="slice", help="Resource that the rule applies to")
@flag(
    "--resource-name",
    kind="array",
    help="Resource in the white list that the rule applies to, repeat this flag for multiple items",
)
@generator_flags()
async def command(
    session: Session,
    arguments: tuple[str, ...],
    verb: tuple[str, ...],
    resource: tuple[str, ...],
    resource_name: tuple[str, ...],
    **flags: Any,
) -> None:
    """Create a role with single rule."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    verbs = check_verbs(session, verb)
    found = await rules(session, verbs, resource, resource_name)
    await generator.run({"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}, "rules": found})
