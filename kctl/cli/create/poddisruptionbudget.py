"""kctl create poddisruptionbudget."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import labels
from kctl.cli.create.generator import Generator
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag

_STATUS = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
_OPERATORS = {"in": "In", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist"}


class CreatePodDisruptionBudget(Generator):
    """Create a pod disruption budget with the specified name, selector, and desired minimum available pods."""

    name = "poddisruptionbudget"
    usage = "NAME --selector=SELECTOR --min-available=N [--dry-run=server|client|none]"

    min_available: str = flag("--min-available", help="The minimum number or percentage of available pods this budget requires.")
    max_unavailable: str = flag("--max-unavailable", help="The maximum number or percentage of unavailable pods this budget requires.")
    selector: str = flag(
        "--selector",
        help="A label selector to use for this budget. Only equality-based selector requirements are supported.",
    )

    async def run(self) -> None:
        name = self.object_name
        if not self.selector:
            raise CommandError("a selector must be specified")
        if not self.min_available and not self.max_unavailable:
            raise CommandError("one of min-available or max-unavailable must be specified")
        if self.min_available and self.max_unavailable:
            raise CommandError("min-available and max-unavailable cannot be both specified")
        spec: dict[str, Any] = {}
        if self.min_available:
            spec["minAvailable"] = _number(self.min_available, "min-available")
        spec["selector"] = _selector(self.selector)
        if self.max_unavailable:
            spec["maxUnavailable"] = _number(self.max_unavailable, "max-unavailable")
        obj = {
            "kind": "PodDisruptionBudget",
            "apiVersion": "policy/v1",
            "metadata": {"name": name},
            "spec": spec,
            "status": _STATUS,
        }
        await self.create(obj, failure="failed to create poddisruptionbudgets: ")


def _number(text: str, flag_name: str) -> int | str:
    if text.isdigit():
        return int(text)
    if text.endswith("%") and text[:-1].isdigit():
        return text
    raise CommandError(f"invalid format specified for {flag_name}")


def _selector(text: str) -> dict[str, Any]:
    parsed = labels.parse(text)
    match = {requirement.key: requirement.values[0] for requirement in parsed.requirements if requirement.operator == "="}
    expressions = [
        {
            "key": requirement.key,
            "operator": _OPERATORS[requirement.operator],
            **({"values": list(requirement.values)} if requirement.values else {}),
        }
        for requirement in parsed.requirements
        if requirement.operator != "="
    ]
    return {**({"matchLabels": match} if match else {}), **({"matchExpressions": expressions} if expressions else {})}
