"""kctl apply view-last-applied."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from kctl.apimachinery import objects
from kctl.cli import options
from kctl.cli.apply.last_applied import last_applied
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests
from kctl.printers.go_json import json_text


class ApplyViewLastApplied(Manifests, Command):
    """View the latest last-applied-configuration annotations by type/name or file."""

    name = "view-last-applied"
    usage = "(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)"
    blocking = True

    output: str = flag("-o", "--output", default="yaml", help="Output format. Must be one of (yaml, json)")
    all: bool = flag("--all", kind="bool", help="Select all resources in the namespace of the specified resource types")
    selector: str = options.selector()
    filename: Sequence[str] = options.filename(
        "Filename, directory, or URL to files that contains the last-applied-configuration annotations"
    )

    async def run(self) -> None:
        if self.output not in ("yaml", "json"):
            raise UsageError(f"Unexpected -o output mode: {self.output}, the flag 'output' must be one of yaml|json")
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, select_all=self.all, validate=False)
        client = await self.session.client()
        if builder.has_files:
            targets = [(info.resource, info.namespace, info.name, info.source) for info in await builder.objects()]
        else:
            targets = [
                (selection.resource, selection.namespace, selection.name, "")
                for selection in await builder.selections(self.arguments, allow_collection=False)
            ]
        for resource, namespace, name, source in targets:
            items = (
                [await client.get(resource, name, namespace)]
                if name
                else (await client.list(resource, namespace, label_selector=self.selector))["items"]
            )
            for item in items:
                text = last_applied(item)
                if text is None and not source:
                    continue  # as kubectl, which adds the source to an error that is none
                if text is None:
                    what = f"no last-applied-configuration annotation found on resource: {objects.name(item)}\n"
                    raise CommandError(f'error when {what} "{source}": <nil>')
                value = orjson.loads(text)
                if self.output == "json":
                    self.session.write(json_text(value))
                else:
                    from kctl.apimachinery.yaml import dump

                    self.session.write(dump(value))
