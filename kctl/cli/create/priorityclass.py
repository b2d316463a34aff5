"""kctl create priorityclass."""

from __future__ import annotations

from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.flags import flag
from kctl.cli.session import Session


@click.command(
    "priorityclass",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a priority class with the specified name",
    usage="NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]",
)
@flag("--value", kind="int", help="the value of this priority class.")
@flag(
    "--global-default",
    kind="bool",
    help="global-default specifies whether this PriorityClass should be considered as the default priority.",
)
@flag(
    "--description",
    help="description is an arbitrary string that usually provides guidelines on when this priority class should be used.",
)
@flag(
    "--preemption-policy",
    default="PreemptLowerPriority",
    help="preemption-policy is the policy for preempting pods with lower priority.",
)
@generator_flags()
async def command(
    session: Session,
    arguments: tuple[str, ...],
    value: int,
    global_default: bool,
    description: str,
    preemption_policy: str,
    **flags: Any,
) -> None:
    """Create a priority class with the specified name, value, globalDefault and description."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    obj: dict[str, Any] = {
        "kind": "PriorityClass",
        "apiVersion": "scheduling.k8s.io/v1",
        "metadata": {"name": name},
        "value": value,
    }
    if global_default:
        obj["globalDefault"] = True
    if description:
        obj["description"] = description
    obj["preemptionPolicy"] = preemption_policy
    await generator.run(obj, failure="failed to create priorityclass: ")
