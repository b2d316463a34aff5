"""kctl history: every revision of an object that the server still knows, who wrote it, when, and what it changed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from kctl.apimachinery import times
from kctl.apimachinery.objects import Object
from kctl.cli.builder import Builder, Selection, qualified_name
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.past.differences import Difference, differences
from kctl.cli.past.revisions import Revision, history

if TYPE_CHECKING:
    from kctl.cli.terminal import Colour

_SHOWN_PATHS: Final = 3
_VERBS = {"ADDED": "created", "MODIFIED": "changed", "DELETED": "deleted", "START": "as it was at the oldest revision kept"}
_COLOURS: Final[dict[str, Colour]] = {"+": "green", "-": "red", "~": "yellow"}
_FORMATS = ("", "short", "yaml", "json", "name")


class History(Command):
    """Show the revisions of an object: who changed what, and when.

    The API server tells what it still knows; Kubernetes forgets what is older than five to ten minutes. Names are those of the field
    managers. An object that has been deleted still has a history. See also `kctl undo` and `kctl get --at`.
    """

    name = "history"
    usage = "(TYPE NAME | TYPE/NAME) [flags]"
    examples = """
  # What happened to a deployment
  kctl history deployment/web

  # One line for each revision
  kctl history deployment web -o short

  # Only what was changed besides its status, the last three times
  kctl history deployment/web --no-status --limit 3

  # The whole object as it was at a revision
  kctl history deployment/web --revision 412 -o yaml
"""
    blocking = True
    output: str = flag(
        "-o", "--output", help="Output format. One of: (short, yaml, json, name). Without it, each revision with what it changed."
    )
    revision: int = flag("--revision", kind="int", help="Only this revision.")
    limit: int = flag("--limit", kind="int", help="Only the last so many revisions. 0 shows all.")
    no_status: bool = flag("--no-status", kind="bool", help="Leave out revisions that changed nothing but the status.")
    show_managed_fields: bool = flag(
        "--show-managed-fields", kind="bool", help="If true, keep the managedFields when printing objects in JSON or YAML format."
    )

    def validate(self) -> None:
        if not self.arguments:
            raise UsageError("required resource not specified")
        if self.output not in _FORMATS:
            raise CommandError(
                f'unable to match a printer suitable for the output format "{self.output}", allowed formats are: json,name,short,yaml'
            )
        if self.limit < 0 or self.revision < 0:
            raise CommandError("--limit and --revision must not be negative")

    async def run(self) -> None:
        selections = await Builder(self.session, validate=False).selections(self.arguments, allow_collection=False)
        for index, selection in enumerate(selections):
            found = await self._chosen(selection)
            if self.output in ("yaml", "json"):
                self._print_objects(selection, found)
            else:
                self.session.write("\n" * (index > 0 and not self.output))
                self._print(selection, found)

    async def _chosen(self, selection: Selection) -> list[Revision]:
        client = await self.session.client()
        known = await history(client, selection.resource, selection.namespace, selection.name)
        if not known:
            raise CommandError(f"no revision of {_full_name(selection)} is known: it does not exist, and was not deleted lately")
        found = [one for one in known if not self.revision or one.number == self.revision]
        if not found:
            raise CommandError(f"unable to find the specified revision {self.revision} of {_full_name(selection)}")
        if self.no_status:
            found = [one for one in found if any(not change.path.startswith("status") for change in changes_of(one))]
        return found[-self.limit :] if self.limit else found

    def _print(self, selection: Selection, found: list[Revision]) -> None:
        full_name, now = _full_name(selection), self.session.now()
        if self.output == "name":
            self.session.write("".join(f"{full_name}@{one.number}\n" for one in found))
        elif self.output == "short":
            from kctl.printers.table import TableWriter

            rows = [["REVISION", "AGE", "WHO", "WHAT"]]
            rows += [[str(one.number), age(one.time, now), who(one), summary(one)] for one in found]
            self.session.write(TableWriter().format(rows))
        else:
            self.session.print(full_name)
            for one in found:
                self._print_one(one, now)

    def _print_one(self, one: Revision, now: datetime) -> None:
        from kctl.cli.terminal import coloured

        out = self.session.streams.out
        self.session.print(f"\nrevision {one.number}, {age(one.time, now)} ago, {who(one)}: {_VERBS.get(one.type, one.type)}")
        if one.type == "START":
            return
        for change in changes_of(one):
            self.session.print("  " + coloured(out, str(change), _COLOURS[change.sign]))

    def _print_objects(self, selection: Selection, found: list[Revision]) -> None:
        from kctl.printers.output import printer_for

        printer = printer_for(self.output, show_managed_fields=self.show_managed_fields)
        head = {"apiVersion": selection.resource.api_version, "kind": selection.resource.kind}
        items: list[Object] = [{**head, **one.object} for one in found]
        shown: Any = (
            items[0] if self.revision else {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
        )
        self.session.write(printer(shown))


def _full_name(selection: Selection) -> str:
    return qualified_name(selection.resource, selection.name)


def changes_of(one: Revision) -> list[Difference]:
    """Of a created object, its parts; a deleted one needs no more than the word."""
    if one.type == "DELETED":
        return []
    return differences(one.previous if one.previous is not None else _skeleton(one.object), one.object)


def _skeleton(obj: Object) -> Object:
    """What every object has, and the maps that hold its parts."""
    meta = obj.get("metadata") or {}
    kept = {key: meta[key] for key in ("name", "namespace", "uid", "creationTimestamp") if key in meta}
    bare = {
        key: {} if isinstance(value, dict) else value
        for key, value in obj.items()
        if key in ("apiVersion", "kind") or isinstance(value, dict)
    }
    return {**bare, "metadata": kept}


def age(time: datetime | None, now: datetime) -> str:
    return "<unknown>" if time is None else times.human_duration(now - time)


def who(one: Revision) -> str:
    if one.type == "DELETED" or not one.writers:
        return "<unknown>"
    return ", ".join(str(writer) for writer in one.writers)


def summary(one: Revision) -> str:
    """The fields on one line."""
    if one.type in ("ADDED", "DELETED", "START"):
        return {"ADDED": "created", "DELETED": "deleted"}.get(one.type, "the oldest revision kept")
    paths = list(dict.fromkeys(_shortened(change.path) for change in changes_of(one)))
    more = f" and {len(paths) - _SHOWN_PATHS} more" if len(paths) > _SHOWN_PATHS else ""
    return ", ".join(paths[:_SHOWN_PATHS]) + more


def _shortened(path: str) -> str:
    """spec.template.spec.containers[name=a].image stays; of conditions and other parts of the status the first two words are enough."""
    if not path.startswith("status."):
        return path
    return ".".join(path.partition("[")[0].split(".")[:2])
