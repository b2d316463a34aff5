"""kctl rollout history."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.rollout.revisions import revisions_of
from kctl.cli.session import Session
from kctl.cli.targets import Target, live


class RolloutHistory(ObjectOutput, Manifests, Command):
    """View previous rollout revisions and configurations."""

    name = "history"
    usage = "(TYPE NAME | TYPE/NAME)"

    revision: int = flag("--revision", kind="int", help="See the details, including podTemplate of the revision specified")
    selector: str = options.selector()
    filename: Sequence[str] = options.filename("identifying the resource to get from a server.")

    async def run(self) -> None:
        if self.revision < 0:
            raise CommandError(f"revision must be a positive integer: {self.revision}")
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, validate=False)
        if not self.arguments and not builder.has_files:
            raise UsageError("required resource not specified")
        results = Results(self.session, self.output, self.template, self.show_managed_fields, self.allow_missing_template_keys)
        results.check()
        for target in await live(builder, self.arguments):
            try:
                if results.prints_objects:
                    revisions = await revisions_of(await self.session.client(), target)
                    chosen = [revision for revision in revisions if not self.revision or revision.number == self.revision]
                    for revision in chosen[-1:] if not self.revision else chosen:
                        results.print_object(revision.source)
                else:
                    await _print(self.session, target, self.revision)
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()


async def _print(session: Session, target: Target, number: int) -> None:
    from kctl.cli.describe.pod import describe_template
    from kctl.cli.describe.writer import Writer
    from kctl.printers.elastic_tabs import align

    revisions = await revisions_of(await session.client(), target)
    if number:
        chosen = next((revision for revision in revisions if revision.number == number), None)
        if chosen is None:
            raise CommandError("unable to find the specified revision")
        out = Writer()
        describe_template(out, chosen.template)
        session.print(f"{target.full_name} with revision #{number}")
        session.print(out.unaligned())
        return
    session.print(f"{target.full_name} ")
    if not revisions:
        session.print("No rollout history found.")
        return
    rows = [f"{revision.number}\t{revision.change_cause or '<none>'}" for revision in revisions]
    session.print(align("\n".join(["REVISION\tCHANGE-CAUSE", *rows]) + "\n"))
