"""What a write that is no apply makes of who owns what (structured-merge-diff's Updater.Update and apimachinery's chain of managers around
it): whoever changes or adds a field owns it, alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kctl.apimachinery.field_ownership import sets
from kctl.apimachinery.field_ownership.compare import Comparison, compare
from kctl.apimachinery.field_ownership.entries import UPDATE, Managed, Manager, Owned
from kctl.apimachinery.field_ownership.field_schema import FieldType
from kctl.apimachinery.field_ownership.paths import fields
from kctl.apimachinery.field_ownership.sets import LEAF, FieldSet
from kctl.apimachinery.objects import Object

MAXIMUM_UPDATERS = 10
OLD_UPDATES = "ancient-changes"
NEVER_OWNED = sets.of_paths(
    fields("apiVersion"),
    fields("kind"),
    fields("metadata"),
    *(
        fields("metadata", name)
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which fields writes to a (sub)resource count for: all but those at or below a member of `ignored` (what the strategy resets)."""

    ignored: FieldSet

    def fields(self, found: FieldSet) -> FieldSet:
        return sets.recursive_difference(found, self.ignored)

    def comparison(self, found: Comparison) -> Comparison:
        return Comparison(*map(self.fields, found))


class Form(Protocol):
    """A kind in one version, as one (sub)resource sees it."""

    @property
    def api_version(self) -> str: ...

    @property
    def field_type(self) -> FieldType: ...

    @property
    def filter(self) -> Filter: ...

    @property
    def zero(self) -> Object:
        """The kind's empty object: what Go writes even where nothing is set."""

    def other(self, api_version: str) -> Form | None:
        """The same kind in another version; None where it is not served in that one (any more)."""

    def convert(self, obj: Object, api_version: str) -> Object:
        """An object of this kind, of any version, in one that `other` knows."""


@dataclass(frozen=True, slots=True)
class PlainForm:
    """A kind of a single version."""

    api_version: str
    field_type: FieldType
    zero: Object
    filter: Filter = Filter(LEAF)

    def other(self, api_version: str) -> Form | None:
        return None

    def convert(self, obj: Object, api_version: str) -> Object:
        return obj


def update(live: Object, new: Object, managed: Managed, writer: Manager, now: str, form: Form) -> Managed:
    """The managers after `writer` made `new` of `live` (both of the form's version); `managed` itself where nobody's fields change.
    Neither object has managedFields. Raises paths.ElementError."""
    changes = form.filter.comparison(compare(live, new, form.field_type))
    out, _ = others(live, new, managed, changes, form)
    taken = sets.difference(changes.changed, NEVER_OWNED)
    if not taken and out == managed:
        return managed
    if taken:
        before = out.get(writer)
        out[writer] = Owned(sets.union(taken, before.fields) if before else taken, form.api_version, now)
    return _capped({who: owned for who, owned in out.items() if owned.fields})


def others(
    live: Object, new: Object, managed: Managed, changes: Comparison, form: Form, applier: Manager | None = None
) -> tuple[dict[Manager, Owned], dict[Manager, FieldSet]]:
    """Everybody without what changed or went (`applier` keeps all), and what each had of what changed or came."""
    by_version: dict[str, Comparison | None] = {form.api_version: changes}
    out: dict[Manager, Owned] = {}
    conflicts: dict[Manager, FieldSet] = {}
    for who, owned in managed.items():
        if who == applier:
            out[who] = owned
            continue
        found = _changes_in(owned.api_version, live, new, form, by_version)
        if found is None:
            continue
        lost = sets.intersection(owned.fields, found.changed)
        if lost:
            conflicts[who] = lost
        kept = sets.difference(sets.difference(owned.fields, lost), found.removed)
        out[who] = owned if kept is owned.fields else owned._replace(fields=kept)
    return out, conflicts


def _changes_in(version: str, live: Object, new: Object, form: Form, known: dict[str, Comparison | None]) -> Comparison | None:
    """The comparison in a manager's version; None where there is no such version."""
    if version not in known:
        other = form.other(version)
        known[version] = None
        if other is not None:
            found = compare(form.convert(live, version), form.convert(new, version), other.field_type)
            known[version] = other.filter.comparison(found)
    return known[version]


def _capped(managed: dict[Manager, Owned]) -> dict[Manager, Owned]:
    """At most so many managers that update: the oldest of one version become one."""
    updaters = [who for who in managed if who.operation == UPDATE]
    surplus = len(updaters) - MAXIMUM_UPDATERS
    if surplus <= 0:
        return managed
    updaters.sort(key=lambda who: (managed[who].time, who))
    first: dict[str, Manager] = {}
    for who in updaters:
        if surplus <= 0:
            break
        owned = managed[who]
        version = owned.api_version
        if version not in first:
            first[version] = who
            continue
        bucket = Manager(OLD_UPDATES, UPDATE, version, "")
        if bucket not in managed:
            managed[bucket] = managed.pop(first[version])
        del managed[who]
        managed[bucket] = Owned(sets.union(owned.fields, managed[bucket].fields), version, owned.time)
        surplus -= 1
    return managed
