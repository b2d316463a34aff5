"""Keeps the managedFields of one (sub)resource up to date with every write, cheaply: what a change of a shape did is remembered, and only
the first of its kind is worked out (shapes.py). What comes out is what managers.update would have given."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from kctl.apimachinery.field_ownership import shapes
from kctl.apimachinery.field_ownership.entries import UPDATE, Manager
from kctl.apimachinery.field_ownership.field_schema import FieldType
from kctl.apimachinery.field_ownership.managed_fields import Layout, ManagedFields
from kctl.apimachinery.objects import Object

_LIMIT = 4096
"""Outcomes remembered for one (sub)resource."""
_LARGEST = 20_000
"""Letters of a layout that is still remembered."""
_Fill = Callable[[tuple[str, ...]], tuple[str, ...]]
"""The texts of the outcome, of those there were: the gaps before, the time, the private keys of the change."""


class _Outcome:
    """What came of a change. `newest` is what came of it for `pool`."""

    __slots__ = ("fill", "layout", "newest", "pool")

    def __init__(self, layout: Layout | None, fill: _Fill, pool: tuple[str, ...], newest: ManagedFields | None) -> None:
        self.layout = layout
        self.fill = fill
        self.pool = pool
        self.newest = newest


class Tracker:
    """`form` is a managers.Form."""

    def __init__(self, form: Any, subresource: str = "") -> None:
        self.form = form
        self.subresource = subresource
        self._type: FieldType = form.field_type
        self._blank: shapes.Blank | None = None
        self._known: dict[Any, _Outcome] = {}

    def created(
        self, obj: Object, manager: str, now: str, given: ManagedFields | None = None, *, apart: bool = False
    ) -> ManagedFields | None:
        """Of a new object without managedFields; `given` is what its maker says of who owns what. `apart`: without what is remembered,
        for large objects, of which nothing is, and for other threads than the loop's."""
        if given is not None or apart:
            return self._worked_out(self.form.zero, obj, given, manager, now)
        private: list[str] = []
        try:
            key = manager, (self._blank or self._first_blank()).shape(obj, private)
            pool = (now, *private)
            if key in self._known:
                known = self._known[key]
                if known.pool != pool:
                    known.pool = pool  # what is made in one second may be one and the same
                    known.newest = ManagedFields(known.layout, known.fill(pool)) if known.layout is not None else None
                return known.newest
        except (shapes.Shapeless, TypeError):  # a value that cannot be hashed is a wrong one
            return self._worked_out(self.form.zero, obj, None, manager, now)
        return self._remember(key, pool, self._worked_out(self.form.zero, obj, None, manager, now))

    def updated(
        self, old: Object, new: Object, current: ManagedFields | None, manager: str, now: str, *, part: str = "", apart: bool = False
    ) -> ManagedFields | None:
        """After `manager` made `new` of `old`, which had `current`; nobody is tracked where nobody was. `now` is RFC 3339. `part`: the
        only field in which they differ, besides what the server keeps in their metadata. `apart`: as of `created`."""
        if current is None:
            return None
        if apart:
            return self._worked_out(old, new, current, manager, now)
        private: list[str] = []
        try:
            shape = self._shape(old, new, part, private)
            if not shape:
                return current
            texts = current.texts
            for index in current.layout.times:
                if texts[index] > now:
                    raise shapes.Shapeless
            pool = (*texts, now, *private)
            key = current.layout, manager, shape, tuple(map(pool.index, pool))
            if key in self._known:
                known = self._known[key]
                return ManagedFields(known.layout, known.fill(pool)) if known.layout is not None else None
        except (shapes.Shapeless, TypeError):
            return self._worked_out(old, new, current, manager, now)
        return self._remember(key, pool, self._worked_out(old, new, current, manager, now))

    def _shape(self, old: Object, new: Object, part: str, private: list[str]) -> shapes.Shape:
        """Of a change; the one of a part only where that part was and is there."""
        if part and (before := old.get(part)).__class__ is dict and (after := new.get(part)).__class__ is dict and before and after:
            inner = self._type.fields.get(part)
            if inner is not None and inner.map_kind == "granular":
                found = shapes.of_change(before, after, inner, private)
                return (part, found) if found else ()
        return shapes.of_change(old, new, self._type, private)

    def _first_blank(self) -> shapes.Blank:
        self._blank = shapes.Blank(self.form.zero, self._type)
        return self._blank

    def _worked_out(self, old: Object, new: Object, current: ManagedFields | None, manager: str, now: str) -> ManagedFields | None:
        from kctl.apimachinery.field_ownership import managed_fields, managers
        from kctl.apimachinery.field_ownership.paths import ElementError

        before = current.managed() if current is not None else {}
        writer = Manager(manager or "unknown", UPDATE, self.form.api_version, self.subresource)
        try:
            after = managers.update(old, new, before, writer, now, self.form)
        except ElementError:  # as upstream: who owns what stays as it was
            return current
        return current if after is before else managed_fields.of(after)

    def _remember(self, key: Any, pool: tuple[str, ...], found: ManagedFields | None) -> ManagedFields | None:
        """The outcome; one that is large is not worth the room."""
        if len(self._known) >= _LIMIT:
            self._known.clear()
        if found is None:
            self._known[key] = _Outcome(None, _nothing, pool, None)
        elif len(found.layout.format) < _LARGEST and all(text in pool for text in found.texts):
            self._known[key] = _Outcome(found.layout, _filler([pool.index(text) for text in found.texts]), pool, found)
        return found


def _nothing(pool: tuple[str, ...]) -> tuple[str, ...]:
    return ()


def _filler(sources: list[int]) -> _Fill:
    if len(sources) > 1:
        return itemgetter(*sources)
    return itemgetter(slice(sources[0], sources[0] + 1)) if sources else _nothing
