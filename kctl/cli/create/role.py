"""kctl create role."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.cli.create.generator import Generator
from kctl.cli.create.rules import check_verbs, rules
from kctl.cli.flags import flag


class CreateRole(Generator):
    """Create a role with single rule."""

    name = "role"
    usage = "NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [--dry-run=server|client|none]"

    verb: Sequence[str] = flag("--verb", kind="slice", help="Verb that applies to the resources contained in the rule")
    resource: Sequence[str] = flag("--resource", kind="slice", help="Resource that the rule applies to")
    resource_name: Sequence[str] = flag(
        "--resource-name",
        kind="array",
        help="Resource in the white list that the rule applies to, repeat this flag for multiple items",
    )

    async def run(self) -> None:
        name = self.object_name
        verbs = check_verbs(self.session, self.verb)
        allowed = await rules(self.session, verbs, self.resource, self.resource_name)
        await self.create({"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}, "rules": allowed})
