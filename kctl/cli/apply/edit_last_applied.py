"""kctl apply edit-last-applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.cli import options
from kctl.cli.apply.last_applied import last_applied, replacing
from kctl.cli.builder import Builder, Info
from kctl.cli.command import Command
from kctl.cli.edit.editing import Editing, Outcome, parsed
from kctl.cli.errors import CommandError
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.cli.targets import live
from kctl.client.transport import MERGE_PATCH, ApiRequest


class EditLastApplied(ObjectOutput, Manifests, Command):
    """Edit what objects say was applied last (their last-applied-configuration annotation) in your editor.

    The editor is the one that KUBE_EDITOR or EDITOR names, else vi. The objects themselves do not change, only what the next apply compares with. The text is YAML; "-o json" makes it JSON.
    """

    name = "edit-last-applied"
    usage = "(RESOURCE/NAME | -f FILENAME)"
    blocking = True
    examples = """
  # Edit the last-applied-configuration annotation of a deployment
  kctl apply edit-last-applied deployment/nginx

  # Edit that of an object in a file, as JSON
  kctl apply edit-last-applied -f deploy.yaml -o json
"""

    filename: Sequence[str] = options.filename("Filename, directory, or URL to files to use to edit the resource")
    windows_line_endings: bool = options.windows_line_endings()
    schema_check: str = options.validate()
    field_manager: str = options.field_manager("kubectl-client-side-apply")

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        super().__init__(session, arguments, **values)
        self.validation = "Strict"

    async def run(self) -> None:
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=False)
        targets = await live(builder, self.arguments)
        self.validation = options.field_validation(self.schema_check)
        builder.finish()
        infos: list[Info] = []
        for target in targets:
            text = last_applied(target.object)
            if text is not None:
                infos += (await parsed(builder, text))[:1]
                builder.finish()
        if not infos:
            raise CommandError(
                "no last-applied-configuration annotation found on resources, to create the annotation, "
                "use command `kubectl apply set-last-applied --create-annotation`"
            )
        editing = Editing(
            self.session,
            self.output,
            self.validation,
            self._annotate,
            windows_line_endings=self.windows_line_endings,
            last_applied=True,
        )
        await editing.run(infos)

    async def _annotate(self, original: Info, info: Info, outcome: Outcome) -> None:
        results = Results.of(self)
        if original.object == info.object:
            results.print(info.resource, info.object, "skipped")
            return
        _, patch = replacing(info.object)
        query = {"fieldManager": self.field_manager, "fieldValidation": self.validation}
        namespace = self.session.namespace if info.resource.namespaced else ""
        request = ApiRequest("patch", info.resource, namespace, info.name, "", query, patch, MERGE_PATCH)
        await (await self.session.client()).call(request)
        results.print(info.resource, info.object, "edited")
