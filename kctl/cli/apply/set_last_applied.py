"""kctl apply set-last-applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.apply.errors import describe
from kctl.cli.apply.last_applied import last_applied, replacing
from kctl.cli.builder import MISSING, Builder, Info
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, with_source
from kctl.cli.flags import flag
from kctl.cli.options import DryRun, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.transport import MERGE_PATCH, ApiRequest


class SetLastApplied(ObjectOutput, Command):
    """Make objects say that what a file holds was applied last: their last-applied-configuration annotation becomes as if 'kctl apply -f FILE' had been run, and nothing else of them changes."""

    name = "set-last-applied"
    usage = "-f FILENAME"
    blocking = True
    examples = """
  # Set the last-applied-configuration of an object to what the file holds
  kctl apply set-last-applied -f deploy.yaml

  # The same for each file in a directory
  kctl apply set-last-applied -f path/

  # Also where the object has no such annotation yet
  kctl apply set-last-applied -f deploy.yaml --create-annotation=true
"""

    create_annotation: bool = flag(
        "--create-annotation",
        kind="bool",
        help="Will create 'last-applied-configuration' annotations if current objects doesn't have one",
    )
    dry_run: str = options.dry_run()
    filename: Sequence[str] = options.filename(
        "Filename, directory, or URL to files that contains the last-applied-configuration annotations"
    )

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        super().__init__(session, arguments, **values)
        self.strategy: DryRun = "none"

    async def run(self) -> None:
        self.strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        results = Results.of(self, self.strategy)
        results.check()
        builder = Builder(self.session, self.filename, validate=False)
        if not builder.has_files:
            raise CommandError(MISSING)
        changes = [change for info in await builder.objects() if (change := await self._change(info)) is not None]
        builder.finish()
        for info, current, patch in changes:
            results.print(info.resource, await self._sent(info, current, patch), "configured")

    async def _change(self, info: Info) -> tuple[Info, Object, Object] | None:
        """(the manifest, the object as it is, the patch); None where the annotation says this already."""
        text, patch = replacing(info.object)
        try:
            current = await (await self.session.client()).get(info.resource, info.name, info.namespace)
        except NotFound:
            raise
        except ApiError as error:
            raise with_source(error, f"retrieving current configuration of:\n{describe(info)}\nfrom server for:", info.source) from None
        before = last_applied(current)
        if before is None and not self.create_annotation:
            raise CommandError(
                f"no last-applied-configuration annotation found on resource: {info.name}, "
                "to create the annotation, run the command with --create-annotation"
            )
        if before is not None and before.strip() == text:
            self.session.print(f"set-last-applied {info.name}: no changes required.")
            return None
        return info, current, patch

    async def _sent(self, info: Info, current: Object, patch: Object) -> Object:
        if self.strategy == "client":
            return current
        query = {"dryRun": "All"} if self.strategy == "server" else {}
        namespace = self.session.namespace if info.resource.namespaced else ""
        request = ApiRequest("patch", info.resource, namespace, info.name, "", query, patch, MERGE_PATCH)
        return (await (await self.session.client()).call(request)).object
