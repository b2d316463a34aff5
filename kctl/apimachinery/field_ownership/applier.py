"""Applying a configuration (structured-merge-diff's Updater.Apply): its fields are merged in, what the manager applied before and now
leaves out goes unless somebody else owns it, and a field that another manager owns and that would change is a conflict.
"""

from __future__ import annotations

from kctl.apimachinery.field_ownership import sets
from kctl.apimachinery.field_ownership.compare import compare
from kctl.apimachinery.field_ownership.entries import UPDATE, Managed, Manager, Owned
from kctl.apimachinery.field_ownership.field_schema import FieldType
from kctl.apimachinery.field_ownership.managers import NEVER_OWNED, Form, others, update
from kctl.apimachinery.field_ownership.merge import merge
from kctl.apimachinery.field_ownership.remove import remove, with_named_fields
from kctl.apimachinery.field_ownership.sets import LEAF, FieldSet
from kctl.apimachinery.field_ownership.typed import field_set
from kctl.apimachinery.objects import Object

BEFORE_FIRST_APPLY = "before-first-apply"


class Conflicts(Exception):
    """Fields that others own and an apply would change, by manager."""

    def __init__(self, found: dict[Manager, FieldSet]) -> None:
        super().__init__("conflicts")
        self.found = found


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
    out, conflicts = others(live, new, managers, changes, form, applier)
    if conflicts and not force:
        raise Conflicts(conflicts)
    same = new == live
    time = out[applier].time if same else now
    out[applier] = Owned(sets.difference(applied, NEVER_OWNED), form.api_version, time)
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
