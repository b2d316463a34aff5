"""kctl annotate."""

from __future__ import annotations

from typing import Any

import click

from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import KubectlCommand
from kctl.cli.flags import flag
from kctl.cli.metadata_edit import MetadataEdit
from kctl.cli.session import Session


@click.command(
    "annotate",
    cls=KubectlCommand,
    short_help="Update the annotations on a resource",
    usage="[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]",
)
@flag("--all", kind="bool", help="Select all resources, in the namespace of the specified resource types")
@flag("--list", kind="bool", help="If true, display the annotations for a given resource.")
@flag("--local", kind="bool", help="If true, annotate will NOT contact api-server but run locally.")
@flag(
    "--overwrite",
    kind="bool",
    help="If true, allow annotations to be overwritten, otherwise reject updates that overwrite existing annotations.",
)
@flag(
    "--resource-version",
    help="If non-empty, the update will only succeed if this is the current resource-version for the object.",
)
@options.all_namespaces()
@options.selector()
@options.field_selector()
@options.output()
@options.dry_run()
@options.field_manager("kubectl-annotate")
@options.filename("Filename, directory, or URL to files identifying the resource to update the annotations")
async def command(
    session: Session, arguments: tuple[str, ...], filename: tuple[str, ...], kustomize: str, recursive: bool, selector: str,
    field_selector: str, all_namespaces: bool, **more: Any,
) -> None:  # fmt: skip
    """Update the annotations on a resource.

    KEY=VALUE sets, KEY- removes. Existing values are only changed with --overwrite.
    """
    builder = Builder(
        session,
        filename,
        kustomize,
        recursive,
        selector,
        field_selector,
        all_namespaces,
        select_all=more["all"],
        validate=False,
    )
    await MetadataEdit(session, arguments, "annotation", "annotations", "annotated", **more).run(builder)
