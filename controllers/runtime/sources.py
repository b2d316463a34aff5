"""What wakes a controller, declared beside it (controller-runtime's For, Owns and Watches).

`wakes` of a controller lists its inputs, one line each. A source turns the changes of one commit batch into keys, and each
key is queued once however many changes led to it. Predicates and mappings are plain functions of objects: they say which
changes could matter, never what to do about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from controllers.runtime.informer import Change, Informer, InformerFactory
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType

Keys = Callable[[Object], Iterable[str]]
"""An object to the keys it concerns."""
When = Callable[[Object | None, Object | None], bool]
"""(old, new) of a Change: whether it could matter."""
Enqueue = Callable[[str], None]


class Source(Protocol):
    @property
    def resource(self) -> ResourceType: ...

    def attach(self, informers: InformerFactory, enqueue: Enqueue) -> None:
        """From now on, beginning with the present state as one batch of additions."""
        ...


# ---- predicates


def always(old: Object | None, new: Object | None) -> bool:
    return True


def created(old: Object | None, new: Object | None) -> bool:
    return old is None


def deleted(old: Object | None, new: Object | None) -> bool:
    return new is None


def exists(old: Object | None, new: Object | None) -> bool:
    """Created or updated."""
    return new is not None


def changed_or_deleted(old: Object | None, new: Object | None) -> bool:
    """Not what is new, our own creations among it."""
    return old is not None


def created_or_deleted(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None


def not_own_status(old: Object | None, new: Object | None) -> bool:
    """Anything but a change of status alone, which is what a controller's own writes bring back."""
    if old is None or new is None or old.get("spec") != new.get("spec"):
        return True
    before, after = old["metadata"], new["metadata"]
    return any(before.get(field) != after.get(field) for field in ("labels", "deletionTimestamp", "generation"))


class OwnStatus:
    """What a controller has written as the status of its objects, so that these writes do not wake it again. Anyone else's does:
    upstream's controllers look at an object after every change of it, and put right what they keep in its status. A change counts as
    one's own when it leaves the status that was written last, whether the watch brings it before the write is answered or after.
    Keeps one reference for each object, until the object is deleted."""

    def __init__(self) -> None:
        self._written: dict[str, Mapping[str, Any]] = {}

    def in_place(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """The object with the status that is about to be written."""
        self._written[obj["metadata"]["uid"]] = status
        return objects.replace(obj, status=status)

    def not_mine(self, old: Object | None, new: Object | None) -> bool:
        """A predicate: anything but a change to the status written last, and nothing else."""
        if new is None:
            if old is not None:
                self._written.pop(old["metadata"]["uid"], None)
            return True
        if not_own_status(old, new):
            return True
        after = new.get("status")
        return old is not None and after != self._written.get(new["metadata"]["uid"]) and after != old.get("status")


def named(name: str, when: When = always) -> When:
    """Only the objects of that name."""
    return lambda old, new: objects.name(new or old or {}) == name and when(old, new)


def key_of(obj: Object) -> tuple[str]:
    return (objects.key(obj),)


def namespace_of(obj: Object) -> tuple[str]:
    return (objects.namespace(obj),)


# ---- sources


@dataclass(frozen=True, slots=True)
class Watches:
    """Objects of another kind, mapped to the keys they concern; of a changed object both as it was and as it is."""

    resource: ResourceType
    to: Keys
    when: When = always

    def attach(self, informers: InformerFactory, enqueue: Enqueue) -> None:
        to, when = self.to, self.when

        def wake(changes: Sequence[Change]) -> None:
            keys: dict[str, None] = {}
            for old, new in changes:
                if when(old, new):
                    if old is not None:
                        keys.update(dict.fromkeys(to(old)))
                    if new is not None:
                        keys.update(dict.fromkeys(to(new)))
            for key in keys:
                enqueue(key)

        informers.informer(self.resource).add_handler(wake)


@dataclass(frozen=True, slots=True)
class For:
    """The objects a controller is about: their own keys."""

    resource: ResourceType
    when: When = always

    def attach(self, informers: InformerFactory, enqueue: Enqueue) -> None:
        when = self.when

        def wake(changes: Sequence[Change]) -> None:
            keys = [objects.key(new or old or {}) for old, new in changes if when(old, new)]
            for key in dict.fromkeys(keys):
                enqueue(key)

        informers.informer(self.resource).add_handler(wake)


@dataclass(frozen=True, slots=True)
class Owns:
    """Objects whose controller is of kind `by`: the owner's key. `orphans` names who may adopt one that nobody controls."""

    resource: ResourceType
    by: ResourceType
    orphans: Keys | None = None
    when: When = always

    def attach(self, informers: InformerFactory, enqueue: Enqueue) -> None:
        informer = informers.informer(self.resource)
        dispatch = _DISPATCHES.get(informer)
        if dispatch is None:
            dispatch = _DISPATCHES[informer] = _Dispatch()
            informer.add_handler(dispatch.handle)
        dispatch.add(self, enqueue, [Change(None, obj) for obj in informer.list()])


class _Dispatch:
    """Looks at each change of one kind once, however many controllers own objects of that kind."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[tuple[Owns, Enqueue]]] = {}
        self._adopters: list[tuple[Keys, Enqueue]] = []

    def add(self, owns: Owns, enqueue: Enqueue, present: Sequence[Change]) -> None:
        """`present`: what is there already, for the newcomer alone."""
        alone = _Dispatch()
        for dispatch in (self, alone):
            dispatch._by_kind.setdefault(owns.by.kind, []).append((owns, enqueue))
            if owns.orphans is not None:
                dispatch._adopters.append((owns.orphans, enqueue))
        alone.handle(present)

    def handle(self, changes: Sequence[Change]) -> None:
        woken: dict[tuple[Enqueue, str], None] = {}
        for change in changes:
            old, new = change
            if old is not None:
                self._owner(old, change, woken)
            if new is not None and not self._owner(new, change, woken):
                for orphans, enqueue in self._adopters:
                    woken.update({(enqueue, key): None for key in orphans(new)})
        for enqueue, key in woken:
            enqueue(key)

    def _owner(self, obj: Object, change: Change, woken: dict[tuple[Enqueue, str], None]) -> bool:
        """Whether somebody controls it."""
        for reference in obj["metadata"].get("ownerReferences") or ():
            if reference.get("controller"):
                for owns, enqueue in self._by_kind.get(reference["kind"], ()):
                    if owns.when(*change):
                        woken.update({(enqueue, key): None for key in owner_keys(obj, owns.by)})
                return True
        return False


_DISPATCHES: WeakKeyDictionary[Informer, _Dispatch] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Follows:
    """Every batch of changes, for a controller that keeps count as it goes; it answers with the keys to wake."""

    resource: ResourceType
    batch: Callable[[Sequence[Change]], Iterable[str]]

    def attach(self, informers: InformerFactory, enqueue: Enqueue) -> None:
        batch = self.batch

        def wake(changes: Sequence[Change]) -> None:
            for key in batch(changes):
                enqueue(key)

        informers.informer(self.resource).add_handler(wake)


def owner_keys(obj: Object, by: ResourceType) -> tuple[str, ...]:
    """The key of the controlling owner, where it is of that kind and group."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            if reference["kind"] == by.kind and reference["apiVersion"].rpartition("/")[0] == by.group:
                space = obj["metadata"].get("namespace")
                return (f"{space}/{reference['name']}" if space else reference["name"],)
            return ()
    return ()
