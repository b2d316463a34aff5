"""kctl api-resources."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery.resources import ResourceType
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.session import Session
from kctl.client.discovery import preferred
from kctl.printers.table import TableWriter

EXAMPLES = """
  # Print the supported API resources
  kctl api-resources

  # Print the supported API resources with more information
  kctl api-resources -o wide

  # Print the supported API resources sorted by a column
  kctl api-resources --sort-by=name

  # Print the supported namespaced resources
  kctl api-resources --namespaced=true
"""


class ApiResources(Command):
    """Print the supported API resources on the server."""

    name = "api-resources"
    examples = EXAMPLES

    api_group: str = flag("--api-group", help="Limit to resources in the specified API group.")
    cached: bool = flag("--cached", kind="bool", help="Use the cached list of resources if available.")
    categories: Sequence[str] = flag("--categories", kind="slice", help="Limit to resources that belong to the specified categories.")
    namespaced: bool = flag(
        "--namespaced",
        kind="bool",
        default=True,
        help="If false, non-namespaced resources will be returned, otherwise returning namespaced resources by default.",
    )
    no_headers: bool = flag(
        "--no-headers",
        kind="bool",
        help="When using the default or custom-column output format, don't print headers (default print headers).",
    )
    output: str = flag("-o", "--output", help="Output format. One of: (json, yaml, kyaml, name, wide).")
    show_managed_fields: bool = flag(
        "--show-managed-fields",
        kind="bool",
        help="If true, keep the managedFields when printing objects in JSON or YAML format. Lists of resources have none.",
    )
    sort_by: str = flag(
        "--sort-by",
        help="If non-empty, sort list of resources using specified field. The field can be either 'name' or 'kind'.",
    )
    verbs: Sequence[str] = flag("--verbs", kind="slice", help="Limit to resources that support the specified verbs.")

    without_effect = frozenset({"show_managed_fields"})

    async def run(self) -> None:
        if self.arguments:
            raise UsageError(f"unexpected arguments: [{' '.join(self.arguments)}]")
        if self.output not in ("", "wide", "name", "json", "kyaml", "yaml"):
            raise CommandError(
                f'unable to match a printer suitable for the output format "{self.output}", allowed formats are: json,kyaml,name,wide,yaml'
            )
        if self.sort_by not in ("", "name", "kind"):
            raise CommandError("--sort-by accepts only name or kind")
        mapper = await self.session.mapper()
        resources = preferred(await (mapper.types() if self.cached else mapper.refresh()))
        if "api_group" in self.session.changed:
            resources = [resource for resource in resources if resource.group == self.api_group]
        if "namespaced" in self.session.changed:
            resources = [resource for resource in resources if resource.namespaced == self.namespaced]
        resources = [
            resource
            for resource in resources
            if set(self.verbs) <= set(resource.verbs) and set(self.categories) <= set(resource.categories)
        ]
        if self.sort_by == "kind":
            resources.sort(key=lambda resource: resource.kind)
        elif self.sort_by == "name":
            resources.sort(key=lambda resource: resource.plural)
        else:
            resources.sort(key=lambda resource: (resource.group, resource.plural))
        if self.output == "name":
            for resource in resources:
                self.session.print(resource.group_resource)
        elif self.output in ("json", "kyaml", "yaml"):
            _objects(self.session, resources, self.output)
        else:
            _table(self.session, resources, wide=self.output == "wide", headers=not self.no_headers)


def _table(session: Session, resources: list[ResourceType], *, wide: bool, headers: bool) -> None:
    rows = [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"] + (["VERBS", "CATEGORIES"] if wide else [])]
    for resource in resources:
        row = [resource.plural, ",".join(resource.short_names), resource.api_version, str(resource.namespaced).lower(), resource.kind]
        rows.append(row + ([",".join(resource.verbs), ",".join(resource.categories)] if wide else []))
    session.write(TableWriter().format(rows if headers else rows[1:]))


def _objects(session: Session, listed: list[ResourceType], output: str) -> None:
    from kctl.cli.results import Results

    resources = []
    for resource in listed:
        described: dict[str, object] = {"name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced}
        described |= {"group": resource.group} if resource.group else {}
        described |= {"version": resource.version, "kind": resource.kind, "verbs": list(resource.verbs)}
        described |= {"shortNames": list(resource.short_names)} if resource.short_names else {}
        described |= {"categories": list(resource.categories)} if resource.categories else {}
        resources.append(described)
    body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "", "resources": resources}
    Results(session, output, in_field_order=True).print_object(body)
