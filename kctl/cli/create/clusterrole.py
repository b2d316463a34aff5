"""kctl create clusterrole."""

from __future__ import annotations

from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.create.rules import check_verbs, rules
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session


@click.command(
    "clusterrole",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a cluster role",
    usage="NAME --verb=verb --resource=resource.group [--resource-name=resourcename] [--dry-run=server|client|none]",
)
@flag("--verb", kind="slice", help="Verb that applies to the resources contained in the rule")
@flag("--resource", kind="slice", help="Resource that the rule applies to")
@flag(
    "--resource-name",
    kind="array",
    help="Resource in the white list that the rule applies to, repeat this flag for multiple items",
)
@flag("--non-resource-url", kind="slice", help="A partial url that user should have access to.")
@flag("--aggregation-rule", kind="slice", help="An aggregation label selector for combining ClusterRoles.")
@generator_flags()
async def command(
    session: Session,
    arguments: tuple[str, ...],
    verb: tuple[str, ...],
    resource: tuple[str, ...],
    resource_name: tuple[str, ...],
    non_resource_url: tuple[str, ...],
    aggregation_rule: tuple[str, ...],
    **flags: Any,
) -> None:
    """Create a cluster role."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    obj: dict[str, Any] = {
        "kind": "ClusterRole",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": name},
        "rules": None,
    }
    if aggregation_rule:
        if verb or resource or resource_name or non_resource_url:
            raise CommandError("aggregation rule must be specified without nonResourceURLs, resources and resourceNames")
        labels = dict(_pair(one) for one in aggregation_rule)
        obj["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": labels}]}
    else:
        verbs = check_verbs(session, verb)
        if not resource and not non_resource_url:
            raise CommandError("one of resource or nonResourceURL must be specified")
        obj["rules"] = await rules(session, verbs, resource, resource_name) if resource else []
        if non_resource_url:
            obj["rules"].append({"verbs": verbs, "nonResourceURLs": list(non_resource_url)})
    await generator.run(obj)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "=" in value:
        raise CommandError(f"{text} should be a key-value pair")
    return key, value
