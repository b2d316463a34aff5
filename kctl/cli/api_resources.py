"""kctl api-resources."""

from __future__ import annotations

import click

from kctl.apimachinery.resources import ResourceType
from kctl.cli.command import KubectlCommand
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


@click.command("api-resources", cls=KubectlCommand, short_help="Print the supported API resources on the server", examples=EXAMPLES)
@flag("--api-group", help="Limit to resources in the specified API group.")
@flag("--cached", kind="bool", help="Use the cached list of resources if available.")
@flag("--categories", kind="slice", help="Limit to resources that belong to the specified categories.")
@flag(
    "--namespaced",
    kind="bool",
    default=True,
    help="If false, non-namespaced resources will be returned, otherwise returning namespaced resources by default.",
)
@flag(
    "--no-headers",
    kind="bool",
    help="When using the default or custom-column output format, don't print headers (default print headers).",
)
@flag("-o", "--output", help="Output format. One of: (json, yaml, kyaml, name, wide).")
@flag(
    "--sort-by",
    help="If non-empty, sort list of resources using specified field. The field can be either 'name' or 'kind'.",
)
@flag("--verbs", kind="slice", help="Limit to resources that support the specified verbs.")
async def command(
    session: Session,
    arguments: tuple[str, ...],
    api_group: str,
    cached: bool,
    categories: tuple[str, ...],
    namespaced: bool,
    no_headers: bool,
    output: str,
    sort_by: str,
    verbs: tuple[str, ...],
) -> None:
    """Print the supported API resources on the server."""
    if arguments:
        raise UsageError(f"unexpected arguments: [{' '.join(arguments)}]")
    if output not in ("", "wide", "name", "json", "kyaml", "yaml"):
        raise CommandError(
            f'unable to match a printer suitable for the output format "{output}", allowed formats are: json,kyaml,name,wide,yaml'
        )
    if sort_by not in ("", "name", "kind"):
        raise CommandError("--sort-by accepts only name or kind")
    mapper = await session.mapper()
    found = preferred(await (mapper.types() if cached else mapper.refresh()))
    if "api_group" in session.changed:
        found = [one for one in found if one.group == api_group]
    if "namespaced" in session.changed:
        found = [one for one in found if one.namespaced == namespaced]
    found = [one for one in found if set(verbs) <= set(one.verbs) and set(categories) <= set(one.categories)]
    if sort_by == "kind":
        found.sort(key=lambda one: one.kind)
    elif sort_by == "name":
        found.sort(key=lambda one: one.plural)
    else:
        found.sort(key=lambda one: (one.group, one.plural))
    if output == "name":
        for one in found:
            session.print(one.group_resource)
    elif output in ("json", "kyaml", "yaml"):
        _objects(session, found, output)
    else:
        _table(session, found, wide=output == "wide", headers=not no_headers)


def _table(session: Session, found: list[ResourceType], *, wide: bool, headers: bool) -> None:
    rows = [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"] + (["VERBS", "CATEGORIES"] if wide else [])]
    for one in found:
        row = [one.plural, ",".join(one.short_names), one.api_version, str(one.namespaced).lower(), one.kind]
        rows.append(row + ([",".join(one.verbs), ",".join(one.categories)] if wide else []))
    session.write(TableWriter().format(rows if headers else rows[1:]))


def _objects(session: Session, found: list[ResourceType], output: str) -> None:
    from kctl.cli.results import Results

    resources = []
    for one in found:
        entry: dict[str, object] = {"name": one.plural, "singularName": one.singular, "namespaced": one.namespaced}
        entry |= {"group": one.group} if one.group else {}
        entry |= {"version": one.version, "kind": one.kind, "verbs": list(one.verbs)}
        entry |= {"shortNames": list(one.short_names)} if one.short_names else {}
        entry |= {"categories": list(one.categories)} if one.categories else {}
        resources.append(entry)
    body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "", "resources": resources}
    Results(session, output, in_field_order=True).print_object(body)
