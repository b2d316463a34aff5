"""kctl apply view-last-applied."""

from __future__ import annotations

import click
import orjson

from kctl.cli import options
from kctl.cli.apply.last_applied import last_applied
from kctl.cli.builder import Builder
from kctl.cli.command import KubectlCommand
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.session import Session
from kctl.printers.output import json_text


@click.command(
    "view-last-applied",
    cls=KubectlCommand,
    blocking=True,
    short_help="View the latest last-applied-configuration annotations of a resource/object",
    usage="(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)",
)
@flag("-o", "--output", default="yaml", help="Output format. Must be one of (yaml, json)")
@flag("--all", kind="bool", help="Select all resources in the namespace of the specified resource types")
@options.selector()
@options.filename("Filename, directory, or URL to files that contains the last-applied-configuration annotations")
async def command(
    session: Session,
    arguments: tuple[str, ...],
    output: str,
    all: bool,
    selector: str,
    filename: tuple[str, ...],
    kustomize: str,
    recursive: bool,
) -> None:
    """View the latest last-applied-configuration annotations by type/name or file."""
    if output not in ("yaml", "json"):
        raise UsageError(f"Unexpected -o output mode: {output}, the flag 'output' must be one of yaml|json")
    builder = Builder(session, filename, kustomize, recursive, selector, select_all=all, validate=False)
    client = await session.client()
    if builder.has_files:
        targets = [(one.resource, one.namespace, one.name) for one in await builder.objects()]
    else:
        targets = [(one.resource, one.namespace, one.name) for one in await builder.selections(arguments, allow_collection=False)]
    for resource, namespace, name in targets:
        items = (
            [await client.get(resource, name, namespace)]
            if name
            else (await client.list(resource, namespace, label_selector=selector))["items"]
        )
        for item in items:
            text = last_applied(item)
            if text is None:
                raise CommandError(
                    f"no last-applied-configuration annotation found on resource: {(item.get('metadata') or {}).get('name')}"
                )
            value = orjson.loads(text)
            if output == "json":
                session.write(json_text(value))
            else:
                from kctl.apimachinery.yaml import dump

                session.write(dump(value))
