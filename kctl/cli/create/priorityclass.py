"""kctl create priorityclass."""

from __future__ import annotations

from typing import Any

from kctl.cli.create.generator import Generator
from kctl.cli.flags import flag


class CreatePriorityClass(Generator):
    """Create a priority class with the specified name, value, globalDefault and description."""

    name = "priorityclass"
    usage = "NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]"

    value: int = flag("--value", kind="int", help="the value of this priority class.")
    global_default: bool = flag(
        "--global-default",
        kind="bool",
        help="global-default specifies whether this PriorityClass should be considered as the default priority.",
    )
    description: str = flag(
        "--description",
        help="description is an arbitrary string that usually provides guidelines on when this priority class should be used.",
    )
    preemption_policy: str = flag(
        "--preemption-policy",
        default="PreemptLowerPriority",
        help="preemption-policy is the policy for preempting pods with lower priority.",
    )

    async def run(self) -> None:
        name = self.object_name
        obj: dict[str, Any] = {
            "kind": "PriorityClass",
            "apiVersion": "scheduling.k8s.io/v1",
            "metadata": {"name": name},
            "value": self.value,
        }
        if self.global_default:
            obj["globalDefault"] = True
        if self.description:
            obj["description"] = self.description
        obj["preemptionPolicy"] = self.preemption_policy
        await self.create(obj, failure="failed to create priorityclass: ")
