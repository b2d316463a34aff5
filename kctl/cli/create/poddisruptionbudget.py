"""kctl create poddisruptionbudget."""

from __future__ import annotations

from typing import Any

import click

from kctl.apimachinery import labels
from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session

_STATUS = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
_OPERATORS = {"in": "In", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist"}


@click.command(
    "poddisruptionbudget",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a pod disruption budget with the specified name",
    usage="NAME --selector=SELECTOR --min-available=N [--dry-run=server|client|none]",
)
@flag("--min-available", help="The minimum number or percentage of available pods this budget requires.")
@flag("--max-unavailable", help="The maximum number or percentage of unavailable pods this budget requires.")
@flag(
    "--selector",
    help="A label selector to use for this budget. Only equality-based selector requirements are supported.",
)
@generator_flags()
async def command(
    session: Session, arguments: tuple[str, ...], min_available: str, max_unavailable: str, selector: str, **flags: Any
) -> None:
    """Create a pod disruption budget with the specified name, selector, and desired minimum available pods."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    if not selector:
        raise CommandError("a selector must be specified")
    if not min_available and not max_unavailable:
        raise CommandError("one of min-available or max-unavailable must be specified")
    if min_available and max_unavailable:
        raise CommandError("min-available and max-unavailable cannot be both specified")
    spec: dict[str, Any] = {}
    if min_available:
        spec["minAvailable"] = _number(min_available, "min-available")
    spec["selector"] = _selector(selector)
    if max_unavailable:
        spec["maxUnavailable"] = _number(max_unavailable, "max-unavailable")
    obj = {
        "kind": "PodDisruptionBudget",
        "apiVersion": "policy/v1",
        "metadata": {"name": name},
        "spec": spec,
        "status": _STATUS,
    }
    await generator.run(obj, failure="failed to create poddisruptionbudgets: ")


def _number(text: str, flag_name: str) -> int | str:
    if text.isdigit():
        return int(text)
    if text.endswith("%") and text[:-1].isdigit():
        return text
    raise CommandError(f"invalid format specified for {flag_name}")


def _selector(text: str) -> dict[str, Any]:
    parsed = labels.parse(text)
    match = {one.key: one.values[0] for one in parsed.requirements if one.operator == "="}
    expressions = [
        {"key": one.key, "operator": _OPERATORS[one.operator], **({"values": list(one.values)} if one.values else {})}
        for one in parsed.requirements
        if one.operator != "="
    ]
    return {**({"matchLabels": match} if match else {}), **({"matchExpressions": expressions} if expressions else {})}
