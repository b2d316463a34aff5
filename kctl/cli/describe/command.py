"""kctl describe."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from kctl.apimachinery import objects
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.builder import Builder, Selection
from kctl.cli.command import KubectlCommand
from kctl.cli.describe.registry import describer_for
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session
from kctl.cli.targets import Target, fetch

EXAMPLES = """
  # Describe a node
  kctl describe nodes kctl-control-plane

  # Describe a pod
  kctl describe pods/nginx

  # Describe a pod identified by type and name in "pod.json"
  kctl describe -f pod.json

  # Describe all pods
  kctl describe pods

  # Describe pods by label name=myLabel
  kctl describe pods -l name=myLabel

  # Describe all pods whose name begins with the given text
  kctl describe pods frontend
"""


@click.command(
    "describe",
    cls=KubectlCommand,
    short_help="Show details of a specific resource or group of resources",
    examples=EXAMPLES,
    usage="(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)",
)
@flag(
    "--chunk-size",
    kind="int",
    default=500,
    help="Return large lists in chunks rather than all at once. Pass 0 to disable.",
)
@flag("--show-events", kind="bool", default=True, help="If true, display events related to the described object.")
@options.all_namespaces()
@options.selector()
@options.filename("Filename, directory, or URL to files containing the resource to describe")
async def command(
    session: Session,
    arguments: tuple[str, ...],
    chunk_size: int,
    show_events: bool,
    all_namespaces: bool,
    selector: str,
    filename: tuple[str, ...],
    kustomize: str,
    recursive: bool,
) -> None:
    """Show details of a specific resource or group of resources.

    Print a detailed description of the selected resources, including related resources such as events or controllers.
    """
    builder = Builder(session, filename, kustomize, recursive, selector, all_namespaces=all_namespaces, validate=False)
    if not arguments and not builder.has_files:
        raise CommandError(
            'You must specify the type of resource to describe. Use "kctl api-resources" for a complete list of supported resources.'
        )
    if builder.has_files and not arguments:
        selections = [Selection(one.resource, one.namespace, one.name) for one in await builder.objects()]
    else:
        selections = await builder.selections(arguments)
    printed = False
    client = await session.client()
    targets = [target for selection in selections for target in await _found(builder, selection)]
    matching = len(selections) == 1 and bool(targets) and selections[0].name not in ("", targets[0].name)
    several = matching or len(targets) > 1 or (builder.has_files and len(selections) > 1)
    if several and "show_events" not in session.changed:
        show_events = False  # as kubectl: many descriptions would be many searches
    for target in targets:
        try:
            text = await describer_for(target.resource)(client, target.object, datetime.now(UTC), show_events)
        except ApiError as error:
            builder.errors.append(error)
            continue
        if matching:
            session.write(text + "\n")
        else:
            session.write(("\n\n" if printed else "") + text)
        printed = True
    if not printed and not builder.errors:
        session.error("No resources found" + ("" if all_namespaces else f" in {session.namespace} namespace."))
    builder.finish()


async def _found(builder: Builder, selection: Selection) -> list[Target]:
    """The object of that name, else those whose names begin with it."""
    try:
        return await fetch(builder, selection)
    except NotFound as error:
        try:
            listed = await fetch(builder, selection._replace(name=""))
        except ApiError:
            listed = []
        matching = [target for target in listed if objects.name(target.object).startswith(selection.name)]
        if not matching:
            builder.errors.append(error)
        return matching
    except ApiError as error:
        builder.errors.append(error)
        return []
