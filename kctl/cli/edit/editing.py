"""One session in the editor: show objects, take back what the user made of them, send it, and open the editor again if that fails.

What is done with the edited objects is the mode's: `edit` patches them, `create --edit` creates them, `apply edit-last-applied`
writes them into the annotation they come from.
"""

from __future__ import annotations

import io
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, Invalid, NotFound
from kctl.cli import manifests
from kctl.cli.builder import Builder, Info
from kctl.cli.command import PROGRAM
from kctl.cli.edit.document import Reason, content, has_content, heading, without_comment_lines
from kctl.cli.edit.editor import Editor
from kctl.cli.errors import CommandError, Exit, plain
from kctl.cli.session import Session
from kctl.printers.output import printer_for
from kctl.printers.printer import OutputError

SOURCE: Final = "edited-file"
"""What messages call the file in the editor."""
_FORMATS = ("json", "kyaml", "yaml")


@dataclass
class Outcome:
    """What became of the objects of one round. Reasons ask for another one."""

    reasons: list[Reason] = field(default_factory=list)
    retryable: int = 0
    missing: int = 0

    def add(self, error: ApiError, info: Info) -> str:
        """Note a refusal; the line that tells of it."""
        subject = f'{info.resource.group_resource} "{info.name}"'
        if isinstance(error, Invalid):
            causes = [f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in (error.details or {}).get("causes") or ()]
            self.refuse(info, causes)
            return f"error: {subject} is invalid"
        if isinstance(error, NotFound):
            self.missing += 1
            return f"error: {subject} could not be found on the server"
        self.retryable += 1
        return f"error: {subject} could not be patched: {plain(error)}"

    def refuse(self, info: Info, causes: Sequence[str]) -> None:
        self.reasons.append(Reason(f'{info.resource.group_resource} "{info.name}" was not valid', causes))


Send = Callable[[Info, Info, Outcome], Awaitable[None]]
"""Do what the mode does with (the original, what it was made, the outcome)."""


class Editing:
    """`validation` is the fieldValidation parameter; `last_applied` and `annotate` are the mode's: another heading, and objects
    that get their last-applied annotation."""

    def __init__(
        self,
        session: Session,
        output: str,
        validation: str,
        send: Send,
        *,
        windows_line_endings: bool = False,
        last_applied: bool = False,
        annotate: bool = False,
        match_originals: bool = True,
    ) -> None:
        self.session = session
        self.output = output or "yaml"
        self.validation = validation
        self.send = send
        self.windows_line_endings = windows_line_endings
        self.last_applied = last_applied
        self.annotate = annotate
        self.match_originals = match_originals
        self._editor = Editor.of(os.environ)
        self._suffix = ".json" if output == "json" else ".yaml"

    async def run(self, infos: Sequence[Info]) -> None:
        """Until the edit is done or given up. Raises CommandError and Exit; the file with the changes is then kept and named."""
        self._file: Path | None = None
        self._edited = original = b""
        outcome = Outcome()
        while True:
            shown = "" if self.output == "json" else heading(outcome.reasons, last_applied=self.last_applied)
            again = bool(outcome.reasons)
            if again:
                self._open(self._encoded(shown) + without_comment_lines(self._edited), again)
            else:
                original = self._encoded(shown + self._text(infos))
                self._open(original, again)
            outcome = await self._take(infos, original)
            if not outcome.reasons:
                return

    def _open(self, text: bytes, again: bool) -> None:
        """One run of the editor; nothing new in it after a failure ends the command."""
        before, previous = self._edited, self._file
        try:
            self._edited, self._file = self._editor.edit(text, self._suffix)
        except CommandError as error:
            raise self._kept(error) from None
        if again and content(before) == content(self._edited):
            raise self._kept(CommandError("Edit cancelled, no valid changes were saved."))
        if previous is not None:
            previous.unlink(missing_ok=True)

    async def _take(self, infos: Sequence[Info], original: bytes) -> Outcome:
        """Send what the user made. The outcome has reasons where another round is needed; else the file is gone."""
        outcome = Outcome()
        wrong = "" if self.validation == "Ignore" else problem(self._edited)
        if wrong:
            outcome.refuse(infos[0], [f'<nil>: Invalid value: "The edited file failed validation": {wrong}'])
            self.session.error(f'error: {infos[0].resource.group_resource} "{infos[0].name}" is invalid')
            return outcome
        if content(original) == content(self._edited):
            return self._cancelled("no changes made")
        if not has_content(self._edited):
            return self._cancelled("saved file was empty")
        builder = Builder(self.session)
        updated = await parsed(builder, self._edited.decode(errors="replace"))
        if builder.errors:
            texts = [plain(error) for error in builder.errors]
            shown = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
            outcome.reasons.append(Reason(f"The edited file had a syntax error: {shown}"))
            return outcome
        try:
            await self._send(infos, [builder.placed(info, only_here=True) for info in updated], outcome)
        except (ApiError, CommandError) as error:
            raise self._kept(error) from None
        self._settle(outcome)
        return outcome

    def _cancelled(self, why: str) -> Outcome:
        self._forget()
        self.session.error(f"Edit cancelled, {why}.")
        return Outcome()

    def _forget(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _text(self, infos: Sequence[Info]) -> str:
        shown = [info.object for info in infos]
        value = shown[0] if len(shown) == 1 else {"apiVersion": "v1", "items": shown, "kind": "List", "metadata": {}}
        try:
            return printer_for(self.output, formats=_FORMATS)(value)
        except OutputError as error:
            raise self._kept(CommandError(str(error))) from None

    def _encoded(self, text: str) -> bytes:
        return (text.replace("\n", "\r\n") if self.windows_line_endings else text).encode()

    def _kept(self, error: Exception) -> Exception:
        """Say where the user's work is before failing."""
        if self._file is not None and self._file.exists():
            self.session.error(f'A copy of your changes has been stored to "{self._file}"')
        return error

    async def _send(self, originals: Sequence[Info], updated: Sequence[Info], outcome: Outcome) -> None:
        managed = {objects.uid(info.object): objects.metadata(info.object).get("managedFields") for info in originals}
        updated = [_with_managed_fields(info, managed.get(objects.uid(info.object))) for info in updated]
        if self.annotate:
            from kctl.cli.apply.last_applied import annotated

            updated = [info._replace(object=manifests.sorted_keys(annotated(info.object))) for info in updated]
        for info in updated:
            await self.send(self._original(originals, info), info, outcome)

    def _original(self, originals: Sequence[Info], info: Info) -> Info:
        if not self.match_originals:
            return info
        for original in originals:
            if objects.uid(original.object) == objects.uid(info.object):
                return original
        from kctl.printers.output import go_value

        raise CommandError(f"no original object found for &unstructured.Unstructured{{Object:{go_value(info.object)}}}")

    def _settle(self, outcome: Outcome) -> None:
        """What another round in the editor cannot mend ends the command."""
        if outcome.retryable:
            self.session.error(f"You can run `{PROGRAM} replace -f {self._file}` to try this update again.")
            raise Exit(1)
        if outcome.missing:
            self.session.error(f'The edits you made on deleted resources have been saved to "{self._file}"')
            raise Exit(1)
        if not outcome.reasons:
            self._forget()


def problem(edited: bytes) -> str:
    """What is wrong with the edited text before anything is sent; '' where nothing is."""
    value = content(edited)
    if not isinstance(value, bytes):
        return manifests.problem(value)
    from kctl.apimachinery import yaml

    try:
        return manifests.problem(yaml.load(value))
    except ValueError as error:
        return str(error)


async def parsed(builder: Builder, text: str) -> list[Info]:
    """The objects of a text; what cannot be used goes to `builder.errors`."""
    infos: list[Info] = []
    try:
        for document in manifests.documents(manifests.Source(SOURCE, stream=io.StringIO(text))):
            for obj in manifests.flatten(document):
                try:
                    infos.append(await builder.mapped(obj, SOURCE))
                except CommandError as error:
                    builder.errors.append(error)
    except CommandError as error:
        builder.errors.append(error)
    return infos


def _with_managed_fields(info: Info, managed: Any) -> Info:
    meta: Object = {key: value for key, value in objects.metadata(info.object).items() if key != "managedFields"}
    if managed is not None:
        meta["managedFields"] = managed
    return info._replace(object={**info.object, "metadata": meta})
