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
    sort_by: str = flag(
        "--sort-by",
        help="If non-empty, sort list of resources using specified field. The field can be either 'name' or 'kind'.",
    )
    verbs: Sequence[str] = flag("--verbs", kind="slice", help="Limit to resources that support the specified verbs.")

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
        found = preferred(await (mapper.types() if self.cached else mapper.refresh()))
        if "api_group" in self.session.changed:
            found = [resource for resource in found if resource.group == self.api_group]
        if "namespaced" in self.session.changed:
            found = [resource for resource in found if resource.namespaced == self.namespaced]
        found = [
            resource for resource in found if set(self.verbs) <= set(resource.verbs) and set(self.categories) <= set(resource.categories)
        ]
        if self.sort_by == "kind":
            found.sort(key=lambda resource: resource.kind)
        elif self.sort_by == "name":
            found.sort(key=lambda resource: resource.plural)
        else:
            found.sort(key=lambda resource: (resource.group, resource.plural))
        if self.output == "name":
            for resource in found:
                self.session.print(resource.group_resource)
        elif self.output in ("json", "kyaml", "yaml"):
            _objects(self.session, found, self.output)
        else:
            _table(self.session, found, wide=self.output == "wide", headers=not self.no_headers)


def _table(session: Session, found: list[ResourceType], *, wide: bool, headers: bool) -> None:
    rows = [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"] + (["VERBS", "CATEGORIES"] if wide else [])]
    for resource in found:
        row = [resource.plural, ",".join(resource.short_names), resource.api_version, str(resource.namespaced).lower(), resource.kind]
        rows.append(row + ([",".join(resource.verbs), ",".join(resource.categories)] if wide else []))
    session.write(TableWriter().format(rows if headers else rows[1:]))


def _objects(session: Session, found: list[ResourceType], output: str) -> None:
    from kctl.cli.results import Results

    resources = []
    for resource in found:
        entry: dict[str, object] = {"name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced}
        entry |= {"group": resource.group} if resource.group else {}
        entry |= {"version": resource.version, "kind": resource.kind, "verbs": list(resource.verbs)}
        entry |= {"shortNames": list(resource.short_names)} if resource.short_names else {}
        entry |= {"categories": list(resource.categories)} if resource.categories else {}
        resources.append(entry)
    body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "", "resources": resources}
    Results(session, output, in_field_order=True).print_object(body)
