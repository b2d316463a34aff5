"""kctl rollout history."""

from __future__ import annotations

import click

from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import KubectlCommand
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.results import Results
from kctl.cli.rollout.revisions import revisions_of
from kctl.cli.session import Session
from kctl.cli.targets import Target, live


@click.command(
    "history",
    cls=KubectlCommand,
    short_help="View rollout history",
    usage="(TYPE NAME | TYPE/NAME)",
)
@flag("--revision", kind="int", help="See the details, including podTemplate of the revision specified")
@options.selector()
@options.output()
@options.filename("identifying the resource to get from a server.")
async def command(
    session: Session,
    arguments: tuple[str, ...],
    revision: int,
    selector: str,
    output: str,
    template: str,
    show_managed_fields: bool,
    allow_missing_template_keys: bool,
    filename: tuple[str, ...],
    kustomize: str,
    recursive: bool,
) -> None:
    """View previous rollout revisions and configurations."""
    if revision < 0:
        raise CommandError(f"revision must be a positive integer: {revision}")
    builder = Builder(session, filename, kustomize, recursive, selector, validate=False)
    if not arguments and not builder.has_files:
        raise UsageError("required resource not specified")
    results = Results(session, output, template, show_managed_fields, allow_missing_template_keys)
    results.check()
    for target in await live(builder, arguments):
        try:
            if results.prints_objects:
                found = await revisions_of(await session.client(), target)
                chosen = [entry for entry in found if not revision or entry.number == revision]
                for entry in chosen[-1:] if not revision else chosen:
                    results.print_object(entry.source)
            else:
                await _print(session, target, revision)
        except (ApiError, CommandError) as error:
            builder.errors.append(error)
    builder.finish()


async def _print(session: Session, target: Target, number: int) -> None:
    from kctl.cli.describe.pod import describe_template
    from kctl.cli.describe.writer import Writer
    from kctl.printers.elastic_tabs import align

    found = await revisions_of(await session.client(), target)
    if number:
        chosen = next((entry for entry in found if entry.number == number), None)
        if chosen is None:
            raise CommandError("unable to find the specified revision")
        out = Writer()
        describe_template(out, chosen.template)
        session.print(f"{target.full_name} with revision #{number}")
        session.print(out.unaligned())
        return
    session.print(f"{target.full_name} ")
    if not found:
        session.print("No rollout history found.")
        return
    rows = [f"{entry.number}\t{entry.change_cause or '<none>'}" for entry in found]
    session.print(align("\n".join(["REVISION\tCHANGE-CAUSE", *rows]) + "\n"))
