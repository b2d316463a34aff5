"""kctl edit: objects in the user's editor, and what was changed there as a patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import merge_patch
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder, Info
from kctl.cli.command import Command
from kctl.cli.edit.editing import Editing, Outcome
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.cli.targets import Target, live
from kctl.client.transport import MERGE_PATCH, STRATEGIC_MERGE_PATCH, ApiRequest
from kctl.printers.go_json import escape_html

_FIXED = ("apiVersion", "kind", "managedFields")


class Edit(ObjectOutput, Manifests, Command):
    """Edit an object in your editor and send what you changed.

    The editor is the one that KUBE_EDITOR or EDITOR names, else vi; a line with quotes in it is left to the shell that SHELL names (/bin/bash without it). You can edit several objects at once; they are changed one after the other. Files must be saved versions of objects that are in the cluster.

    What the API server refuses comes back into the editor with the reasons above it. If an object was changed by somebody else meanwhile, your version stays in a temporary file, and the command says where.

    The text is YAML; "-o json" makes it JSON.
    """

    name = "edit"
    usage = "(RESOURCE/NAME | -f FILENAME)"
    blocking = True
    examples = """
  # Edit the service named 'registry'
  kctl edit svc/registry

  # Use another editor
  KUBE_EDITOR="nano" kctl edit svc/registry

  # Edit the job 'myjob' in JSON, in the form of batch/v1
  kctl edit job.v1.batch/myjob -o json

  # Edit the deployment 'mydeployment' in YAML, and save what it became in its annotation
  kctl edit deployment/mydeployment -o yaml --save-config

  # Edit the status of the deployment 'mydeployment'
  kctl edit deployment mydeployment --subresource=status
"""

    filename: Sequence[str] = options.filename("Filename, directory, or URL to files to use to edit the resource")
    output_patch: bool = flag("--output-patch", kind="bool", help="Output the patch if the resource is edited.")
    windows_line_endings: bool = options.windows_line_endings()
    schema_check: str = options.validate()
    field_manager: str = options.field_manager("kubectl-edit")
    save_config: bool = options.save_config()
    subresource: str = flag("--subresource", help="If specified, edit will operate on the subresource of the requested object.")

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        super().__init__(session, arguments, **values)
        self.validation = "Strict"

    async def run(self) -> None:
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=False)
        targets = await live(builder, self.arguments, subresource=self.subresource)
        self.validation = options.field_validation(self.schema_check)
        builder.finish()
        if not targets:
            raise CommandError("edit cancelled, no objects found")
        editing = Editing(
            self.session,
            self.output,
            self.validation,
            self._patch,
            windows_line_endings=self.windows_line_endings,
            annotate=self.save_config,
        )
        await editing.run([_info(target) for target in targets])

    async def _patch(self, original: Info, info: Info, outcome: Outcome) -> None:
        results = Results.of(self)
        if original.object == info.object:
            results.print(info.resource, info.object, "skipped")
            return
        document, content_type = difference(original, info)
        if self.output_patch:
            import orjson

            text = escape_html(orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode())
            self.session.print(f"Patch: {text}")
        query = {"fieldManager": self.field_manager, "fieldValidation": self.validation}
        request = ApiRequest("patch", info.resource, info.namespace, info.name, self.subresource, query, document, content_type)
        try:
            patched = (await (await self.session.client()).call(request)).object
        except ApiError as error:
            self.session.error(outcome.add(error, info))
            return
        results.print(info.resource, patched, "edited")


def _info(target: Target) -> Info:
    return Info(target.resource, target.namespace, target.name, target.object, "")


def difference(original: Info, info: Info) -> tuple[Object, str]:
    """The patch that makes the edited object of the original, and its media type. Raises CommandError where it is another object."""
    from kctl.apimachinery.schema import schemas

    schema = schemas.load().for_kind(info.resource.api_version, info.resource.kind)
    if schema is None:
        document, content_type = merge_patch.diff(original.object, info.object), MERGE_PATCH
    else:
        from kctl.apimachinery import strategic_diff

        document = strategic_diff.two_way(original.object, info.object, schema.patch_meta)
        content_type = STRATEGIC_MERGE_PATCH
    if any(name in document for name in _FIXED) or "name" in (document.get("metadata") or {}):
        raise CommandError("At least one of apiVersion, kind and name was changed")
    return document, content_type
