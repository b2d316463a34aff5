"""kctl describe."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.builder import Builder, Selection
from kctl.cli.command import Command
from kctl.cli.describe.describers import describer_for
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests
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


class Describe(Manifests, Command):
    """Show details of a specific resource or group of resources.

    Print a detailed description of the selected resources, including related resources such as events or controllers.
    """

    name = "describe"
    usage = "(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)"
    examples = EXAMPLES

    chunk_size: int = flag(
        "--chunk-size",
        kind="int",
        default=500,
        help="Return large lists in chunks rather than all at once. Pass 0 to disable.",
    )
    show_events: bool = flag("--show-events", kind="bool", default=True, help="If true, display events related to the described object.")
    all_namespaces: bool = options.all_namespaces()
    selector: str = options.selector()
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files containing the resource to describe")

    async def run(self) -> None:
        builder = Builder(
            self.session,
            self.filename,
            self.kustomize,
            self.recursive,
            self.selector,
            all_namespaces=self.all_namespaces,
            validate=False,
            chunk_size=max(self.chunk_size, 0),
        )
        if not self.arguments and not builder.has_files:
            raise CommandError(
                'You must specify the type of resource to describe. Use "kctl api-resources" for a complete list of supported resources.'
            )
        if builder.has_files and not self.arguments:
            selections = [Selection(info.resource, info.namespace, info.name) for info in await builder.objects()]
        else:
            selections = await builder.selections(self.arguments)
        printed = False
        client = await self.session.client()
        targets = [target for selection in selections for target in await _found(builder, selection)]
        matching = len(selections) == 1 and bool(targets) and selections[0].name not in ("", targets[0].name)
        several = matching or len(targets) > 1 or (builder.has_files and len(selections) > 1)
        if several and "show_events" not in self.session.changed:
            self.show_events = False  # as kubectl: many descriptions would be many searches
        for target in targets:
            try:
                text = await describer_for(target.resource)(client, target.object, self.session.now(), self.show_events)
            except ApiError as error:
                builder.errors.append(error)
                continue
            if matching:
                self.session.write(text + "\n")
            else:
                self.session.write(("\n\n" if printed else "") + text)
            printed = True
        if not printed and not builder.errors:
            self.session.error("No resources found" + ("" if self.all_namespaces else f" in {self.session.namespace} namespace."))
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
