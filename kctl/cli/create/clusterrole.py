"""kctl create clusterrole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.cli.create.generator import Generator
from kctl.cli.create.rules import check_verbs, rules
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag


class CreateClusterRole(Generator):
    """Create a cluster role."""

    name = "clusterrole"
    usage = "NAME --verb=verb --resource=resource.group [--resource-name=resourcename] [--dry-run=server|client|none]"

    verb: Sequence[str] = flag("--verb", kind="slice", help="Verb that applies to the resources contained in the rule")
    resource: Sequence[str] = flag("--resource", kind="slice", help="Resource that the rule applies to")
    resource_name: Sequence[str] = flag(
        "--resource-name",
        kind="array",
        help="Resource in the white list that the rule applies to, repeat this flag for multiple items",
    )
    non_resource_url: Sequence[str] = flag("--non-resource-url", kind="slice", help="A partial url that user should have access to.")
    aggregation_rule: Sequence[str] = flag(
        "--aggregation-rule", kind="slice", help="An aggregation label selector for combining ClusterRoles."
    )

    async def run(self) -> None:
        name = self.object_name
        obj: dict[str, Any] = {
            "kind": "ClusterRole",
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "metadata": {"name": name},
            "rules": None,
        }
        if self.aggregation_rule:
            if self.verb or self.resource or self.resource_name or self.non_resource_url:
                raise CommandError("aggregation rule must be specified without nonResourceURLs, resources and resourceNames")
            labels = dict(_pair(pair) for pair in self.aggregation_rule)
            obj["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": labels}]}
        else:
            verbs = check_verbs(self.session, self.verb)
            if not self.resource and not self.non_resource_url:
                raise CommandError("one of resource or nonResourceURL must be specified")
            obj["rules"] = await rules(self.session, verbs, self.resource, self.resource_name) if self.resource else []
            if self.non_resource_url:
                obj["rules"].append({"verbs": verbs, "nonResourceURLs": list(self.non_resource_url)})
        await self.create(obj)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "=" in value:
        raise CommandError(f"{text} should be a key-value pair")
    return key, value
