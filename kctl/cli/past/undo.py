"""kctl undo: put an object back to an earlier revision, also one that has been deleted."""

from __future__ import annotations

from typing import Any, Final

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli import options
from kctl.cli.builder import Builder, Selection, qualified_name
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.options import ObjectOutput
from kctl.cli.past.differences import differences
from kctl.cli.past.revisions import Revision, history
from kctl.cli.results import Results

MANAGER: Final = "kctl-undo"
_OF_ONE_LIFE: Final = frozenset(
    {
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "managedFields",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    }
)
"""Metadata that a new object gets from the server."""

_OF_THE_PRESENT: Final = ("uid", "resourceVersion", "creationTimestamp", "ownerReferences", "finalizers")
_CONTROLLER_NOTES: Final = "deployment.kubernetes.io/"


class Undo(ObjectOutput, Command):
    """Put an object back to an earlier revision.

    Without --to-revision, to what it was before its last change (changes of the status do not count); an object that was deleted is made
    anew. `kctl history` shows the revisions. The status is not put back: it is what controllers observe. For the pod template of a
    deployment beyond the server's history see `kctl rollout undo`.
    """

    name = "undo"
    usage = "(TYPE NAME | TYPE/NAME) [--to-revision=N] [flags]"
    examples = """
  # Take back the last change
  kctl undo deployment/web

  # What that would change
  kctl undo deployment/web --dry-run=server -o yaml

  # Back to a revision that `kctl history deployment/web` showed
  kctl undo deployment/web --to-revision=412

  # Bring back a config map that was deleted
  kctl undo configmap/settings
"""
    blocking = True
    to_revision: int = flag("--to-revision", kind="int", help="The revision to go back to. 0 is the one before the last change.")
    dry_run: str = options.dry_run()
    field_manager: str = options.field_manager(MANAGER)

    def validate(self) -> None:
        if not self.arguments:
            raise UsageError("required resource not specified")
        if self.to_revision < 0:
            raise CommandError(f"revision must be a positive integer: {self.to_revision}")

    async def run(self) -> None:
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        results = Results(self.session, self.output, self.template, self.show_managed_fields, self.allow_missing_template_keys, strategy)
        results.check()
        for selection in await Builder(self.session, validate=False).selections(self.arguments, allow_collection=False):
            known = await self._known(selection)
            chosen = self._chosen(selection, known)
            deleted = known[-1].type == "DELETED"
            wanted = renewed(chosen.object) if deleted else put_back(known[-1].object, chosen.object)
            wanted = {"apiVersion": selection.resource.api_version, "kind": selection.resource.kind, **wanted}
            if strategy != "client":
                client = await self.session.client()
                more: dict[str, Any] = {"dry_run": strategy == "server", "field_manager": self.field_manager}
                if deleted:
                    wanted = await client.create(selection.resource, wanted, selection.namespace, **more)
                else:
                    wanted = await client.update(selection.resource, wanted, **more)
            results.print(selection.resource, wanted, f"{'restored as of' if deleted else 'put back to'} revision {chosen.number}")

    async def _known(self, selection: Selection) -> list[Revision]:
        known = await history(await self.session.client(), selection.resource, selection.namespace, selection.name)
        if not known:
            name = qualified_name(selection.resource, selection.name)
            raise CommandError(f"no revision of {name} is known: it does not exist, and was not deleted lately")
        return known

    def _chosen(self, selection: Selection, known: list[Revision]) -> Revision:
        name = qualified_name(selection.resource, selection.name)
        if self.to_revision:
            chosen = next((one for one in known if one.number == self.to_revision and one.type != "DELETED"), None)
            if chosen is None:
                raise CommandError(f"unable to find the specified revision {self.to_revision} of {name}")
            return chosen
        if known[-1].type == "DELETED":
            return known[-1]
        return before_last_change(name, known)


def before_last_change(name: str, known: list[Revision]) -> Revision:
    """The newest revision before someone other than an observer of the status changed the object. Raises CommandError."""
    for earlier, one in zip(reversed(known[:-1]), reversed(known), strict=False):
        if earlier.type == "DELETED":
            break
        if any(writer.subresource != "status" for writer in one.writers) and _differ(earlier.object, one.object):
            return earlier
    raise CommandError(f"no earlier revision of {name} is known that differs from the present one; see kctl history {name}")


def _differ(earlier: Object, later: Object) -> bool:
    return any(not change.path.startswith("status") for change in differences(earlier, later))


def put_back(present: Object, earlier: Object) -> Object:
    """The earlier content under the present identity; who owns it and who has a say in its end stay as they are now, as do the notes of the
    deployment controller. The server refuses it if someone else has written meanwhile."""
    meta, now = objects.metadata(earlier), objects.metadata(present)
    kept = {key: now[key] for key in _OF_THE_PRESENT if key in now}
    merged = {key: value for key, value in meta.items() if key not in _OF_ONE_LIFE and key not in _OF_THE_PRESENT} | kept
    notes = {key: value for key, value in objects.annotations(earlier).items() if not key.startswith(_CONTROLLER_NOTES)}
    notes |= {key: value for key, value in objects.annotations(present).items() if key.startswith(_CONTROLLER_NOTES)}
    merged = {key: value for key, value in merged.items() if key != "annotations"} | ({"annotations": notes} if notes else {})
    return {**earlier, "metadata": merged}


def renewed(earlier: Object) -> Object:
    """As it was, to be created."""
    meta = {key: value for key, value in objects.metadata(earlier).items() if key not in _OF_ONE_LIFE}
    return {key: value for key, value in {**earlier, "metadata": meta}.items() if key != "status"}
