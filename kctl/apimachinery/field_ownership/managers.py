"""What a write makes of who owns what (structured-merge-diff's Updater and apimachinery's chain of managers around it).

`update` is for every write that is not an apply: whoever changes or adds a field owns it, alone. `apply` is server-side apply: the
configuration's fields are merged in, what the manager applied before and now leaves out goes unless somebody else owns it, and a field
that another manager owns and that would change is a conflict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kctl.apimachinery.field_ownership import sets
from kctl.apimachinery.field_ownership.compare import Comparison, compare
from kctl.apimachinery.field_ownership.entries import UPDATE, Managed, Manager, Owned
from kctl.apimachinery.field_ownership.field_schema import FieldType
from kctl.apimachinery.field_ownership.merge import merge
from kctl.apimachinery.field_ownership.paths import fields
from kctl.apimachinery.field_ownership.remove import remove, with_named_fields
from kctl.apimachinery.field_ownership.sets import LEAF, FieldSet, Path
from kctl.apimachinery.field_ownership.typed import field_set
from kctl.apimachinery.objects import Object

MAXIMUM_UPDATERS = 10
OLD_UPDATES = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"
_NEVER_OWNED = sets.of_paths(
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


class Conflicts(Exception):
    """Fields that others own and an apply would change, by manager."""

    def __init__(self, found: dict[Manager, FieldSet]) -> None:
        super().__init__("conflicts")
        self.found = found


@dataclass(frozen=True, slots=True)
class Filter:
    """Which fields writes to a (sub)resource count for: all but those at or below a member of `ignored` (what the strategy resets), or
    only those at or below one of `included`."""

    ignored: FieldSet
    included: tuple[Path, ...] = ()

    def fields(self, found: FieldSet) -> FieldSet:
        if self.included:
            return sets.only(found, self.included)
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
    out, _ = _others(live, new, managed, changes, form)
    taken = sets.difference(changes.changed, _NEVER_OWNED)
    if not taken and out == managed:
        return managed
    if taken:
        before = out.get(writer)
        out[writer] = Owned(sets.union(taken, before.fields) if before else taken, form.api_version, now)
    return _capped({who: owned for who, owned in out.items() if owned.fields})


def _others(
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


def apply(
    live: Object, configuration: Object, managed: Managed, applier: Manager, now: str, form: Form, *, force: bool
) -> tuple[Object, Managed]:
    """The merged object, `live` itself where nothing changes, and its managers. The configuration is valid (typed.check), none of the
    objects has managedFields. Raises Conflicts (unless forced), paths.ElementError."""
    if not managed and (live.get("metadata") or {}).get("uid"):
        before = Manager(BEFORE_FIRST_APPLY, UPDATE, form.api_version, applier.subresource)
        managed = update(form.zero, live, managed, before, now, form)
    last = managed.get(applier)
    applied = form.filter.fields(field_set(configuration, form.field_type))
    managers = {**managed, applier: Owned(applied, form.api_version, last.time if last else "")}
    new = _pruned(merge(live, configuration, form.field_type), managers, last, form)
    changes = form.filter.comparison(compare(live, new, form.field_type))
    out, conflicts = _others(live, new, managers, changes, form, applier)
    if conflicts and not force:
        raise Conflicts(conflicts)
    same = new == live
    time = out[applier].time if same else now
    out[applier] = Owned(sets.difference(applied, _NEVER_OWNED), form.api_version, time)
    return live if same else new, {who: owned for who, owned in out.items() if owned.fields}


def _pruned(merged: Object, managers: Managed, last: Owned | None, form: Form) -> Object:
    """Without what the applier applied last time, does not this time, and nobody else owns."""
    if last is None or not last.fields:
        return merged
    version = last.api_version
    then = form if version == form.api_version else form.other(version)
    if then is None:
        return merged
    whole = _in_version(merged, version, form)
    gone = with_named_fields(last.fields, then.field_type)
    pruned = remove(whole, gone, then.field_type) or {}
    owned: dict[str, FieldSet] = {version: LEAF}
    for entry in managers.values():
        owned[entry.api_version] = sets.union(owned.get(entry.api_version, LEAF), entry.fields)
    for other, fields_of in owned.items():
        there = then if other == version else form if other == form.api_version else form.other(other)
        if there is not None:
            pruned = _add_back(_in_version(whole, other, form), _in_version(pruned, other, form), fields_of, there.field_type)
    left = _all_fields(_in_version(pruned, version, form), then.field_type)
    dangling = sets.intersection(sets.difference(_all_fields(whole, then.field_type), left), gone)
    return _in_version(remove(whole, dangling, then.field_type) or {}, form.api_version, form)


def _in_version(obj: Object, api_version: str, form: Form) -> Object:
    return obj if obj.get("apiVersion", api_version) == api_version else form.convert(obj, api_version)


def _all_fields(obj: Object, field_type: FieldType) -> FieldSet:
    return with_named_fields(field_set(obj, field_type), field_type)


def _add_back(whole: Object, pruned: Object, owned: FieldSet, field_type: FieldType) -> Object:
    """`whole` without what is neither left in `pruned` nor owned."""
    kept = sets.union(_all_fields(pruned, field_type), with_named_fields(owned, field_type))
    found: Object = remove(whole, sets.difference(_all_fields(whole, field_type), kept), field_type) or {}
    return found


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
