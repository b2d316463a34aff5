"""What a write adds, modifies and removes, as sets of fields (structured-merge-diff's TypedValue.Compare)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kctl.apimachinery.field_ownership import paths, sets
from kctl.apimachinery.field_ownership.field_schema import UNTYPED, FieldType
from kctl.apimachinery.field_ownership.sets import LEAF, SELF, FieldSet

MISSING: Any = object()
"""No value at all, which null is not."""
_Node = FieldSet | None
_Found = tuple[_Node, _Node, _Node]
"""Trees of what is added, modified, removed at one place; None where nothing is."""
_SAME: _Found = (None, None, None)
_ADDED: _Found = (LEAF, None, None)
_MODIFIED: _Found = (None, LEAF, None)
_REMOVED: _Found = (None, None, LEAF)


class Comparison(NamedTuple):
    """No field is in more than one of the sets."""

    added: FieldSet
    modified: FieldSet
    removed: FieldSet

    @property
    def is_same(self) -> bool:
        return not (self.added or self.modified or self.removed)

    @property
    def changed(self) -> FieldSet:
        return sets.union(self.modified, self.added)

    def without(self, ignored: FieldSet) -> Comparison:
        """Without the members of `ignored` and all below them."""
        return Comparison(*(sets.recursive_difference(part, ignored) for part in self)) if ignored else self


def compare(old: Any, new: Any, field_type: FieldType) -> Comparison:
    """Raises paths.ElementError for an item of a list that has no key."""
    added, modified, removed = _compare(old, new, field_type)
    return Comparison(added or LEAF, modified or LEAF, removed or LEAF)


def _compare(old: Any, new: Any, field_type: FieldType) -> _Found:
    if old is new or (old.__class__ is new.__class__ and old == new):
        return _SAME
    if new is MISSING:
        return _of_form(field_type.form_of(old), old, new, field_type)
    form = field_type.form_of(new)
    if old is MISSING or field_type.form_of(old) == form:
        return _of_form(form, old, new, field_type)
    return _merged(_of_form(field_type.form_of(old), old, new, field_type), _of_form(form, old, new, field_type))


def _merged(first: _Found, second: _Found) -> _Found:
    """Of a value that was of another form before."""
    parts = [
        right if left is None else left if right is None else sets.union(left, right) for left, right in zip(first, second, strict=True)
    ]
    return parts[0], parts[1], parts[2]


def _of_form(form: str, old: Any, new: Any, field_type: FieldType) -> _Found:
    if form == "map" and field_type.map_kind == "granular":
        left, right = (value if isinstance(value, dict) else LEAF for value in (old, new))
        if left or right:
            return _with_self(_fields(left, right, field_type), old, new)
    elif form == "list" and not field_type.is_leaf_list:
        before, after = (value if isinstance(value, list) else () for value in (old, new))
        if before or after:
            return _with_self(_items(before, after, field_type), old, new)
    return _leaf(old, new)


def _leaf(old: Any, new: Any) -> _Found:
    if old is MISSING:
        return _ADDED
    if new is MISSING:
        return _REMOVED
    return _SAME if old == new and isinstance(old, bool) == isinstance(new, bool) else _MODIFIED


def _with_self(below: _Found, old: Any, new: Any) -> _Found:
    """A container that comes or goes does so itself, besides what it contains."""
    added, modified, removed = below
    if old is MISSING:
        return {SELF: LEAF, **added} if added else LEAF, modified, removed
    if new is MISSING:
        return added, modified, {SELF: LEAF, **removed} if removed else LEAF
    return below


def _fields(old: dict[str, Any], new: dict[str, Any], field_type: FieldType) -> _Found:
    added: FieldSet = {}
    modified: FieldSet = {}
    removed: FieldSet = {}
    fields, values = field_type.fields, field_type.values
    for name, value in new.items():
        before = old.get(name, MISSING)
        if before is value:
            continue
        found = _compare(before, value, fields.get(name) or values or UNTYPED)
        if found is not _SAME:
            _note(f"f:{name}", found, added, modified, removed)
    for name, value in old.items():
        if name not in new:
            _note(f"f:{name}", _compare(value, MISSING, fields.get(name) or values or UNTYPED), added, modified, removed)
    return added or None, modified or None, removed or None


def _note(element: str, found: _Found, added: FieldSet, modified: FieldSet, removed: FieldSet) -> None:
    for node, into in zip(found, (added, modified, removed), strict=True):
        if node is not None:
            into[element] = node


def _items(old: Iterable[Any], new: Iterable[Any], field_type: FieldType) -> _Found:
    before, after = _by_element(old, field_type), _by_element(new, field_type)
    added: FieldSet = {}
    modified: FieldSet = {}
    removed: FieldSet = {}
    item_type = field_type.item or UNTYPED
    for element in {**before, **after}:
        left, right = before.get(element, []), after.get(element, [])
        if len(left) < 2 and len(right) < 2:
            found = _compare(left[0] if left else MISSING, right[0] if right else MISSING, item_type)
            _note(element, found, added, modified, removed)
        elif len(left) > 1 and len(right) > 1:
            if left != right:
                modified[element] = LEAF
        else:  # several of one key are owned together; what was or will be one is compared by itself
            single = (right[0] if right else MISSING) if len(left) > 1 else (left[0] if left else MISSING)
            pair = (MISSING, single) if len(left) > 1 else (single, MISSING)
            if single is not MISSING:
                _note(element, _compare(*pair, item_type), added, modified, removed)
            into = removed if len(left) > 1 else added
            into[element] = sets.union({SELF: LEAF}, into.get(element, LEAF)) if into.get(element) else LEAF
    return added or None, modified or None, removed or None


def _by_element(items: Iterable[Any], field_type: FieldType) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(paths.of_item(field_type, item), []).append(item)
    return found
