"""Who owns whom: the garbage collector's view of the cluster, kept by informers on every deletable kind.

Two maps beside the informers' caches: from an owner's uid to its dependents, and from a uid to its place ("does it exist").
Each change costs the same however large the cluster is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from controllers.runtime.informer import Change, Informer
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.client.discovery import preferred

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

_ABSENT_REMEMBERED = 10_000
_NEEDED_VERBS = frozenset({"delete", "list", "watch"})
_IGNORED = frozenset({("", "events"), ("events.k8s.io", "events")})


def collectable(types: Iterable[ResourceType]) -> list[ResourceType]:
    """Each deletable resource once, in its preferred version; Events are too many and own nothing."""
    return [
        resource
        for resource in preferred(types)
        if (resource.group, resource.plural) not in _IGNORED and set(resource.verbs) >= _NEEDED_VERBS
    ]


def _owner_uids(obj: Object) -> Sequence[str]:
    references = obj["metadata"].get("ownerReferences")
    return [reference["uid"] for reference in references] if references else ()


def awaits_dependents(obj: Object) -> bool:
    """Being deleted in the foreground: it goes after the dependents that block it."""
    return bool(objects.deletion_timestamp(obj)) and FOREGROUND in objects.finalizers(obj)


def awaits_orphaning(obj: Object) -> bool:
    return bool(objects.deletion_timestamp(obj)) and ORPHAN in objects.finalizers(obj)


class Ownership:
    """`wake(uid)` is called for every object the collector should look at."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._informers: dict[ResourceType, Informer] = {}
        self._places: dict[str, tuple[Informer, str]] = {}
        self._dependents: dict[str, dict[str, None]] = {}
        self._absent: OrderedDict[str, None] = OrderedDict()

    def watch(self, informer: Informer) -> None:
        if informer.resource in self._informers:
            return
        self._informers[informer.resource] = informer
        informer.add_handler(lambda changes: self._follow(informer, changes))

    def watched(self) -> list[ResourceType]:
        return list(self._informers)

    def forget(self, resource: ResourceType) -> None:
        """The kind is not served any more. Whether one of its objects exists can then not be said, so none is called absent."""
        informer = self._informers.pop(resource, None)
        for obj in list(informer.list()) if informer is not None else ():
            self._unlink(obj)
            self._places.pop(objects.uid(obj), None)

    def find(self, uid: str) -> tuple[ResourceType, Object] | None:
        place = self._places.get(uid)
        if place is None:
            return None
        informer, key = place
        obj = informer.get(key)
        return (informer.resource, obj) if obj is not None and objects.uid(obj) == uid else None

    def dependents(self, uid: str) -> list[Object]:
        """Objects that name `uid` as an owner."""
        owned = []
        for dependent in self._dependents.get(uid, ()):
            informer, key = self._places[dependent]
            obj = informer.get(key)
            if obj is not None:
                owned.append(obj)
        return owned

    def has_dependents(self, uid: str) -> bool:
        return uid in self._dependents

    def _link(self, obj: Object) -> None:
        for owner in _owner_uids(obj):
            self._dependents.setdefault(owner, {})[obj["metadata"]["uid"]] = None

    def _unlink(self, obj: Object) -> None:
        for owner in _owner_uids(obj):
            dependents = self._dependents.get(owner)
            if dependents is not None:
                dependents.pop(obj["metadata"]["uid"], None)
                if not dependents:
                    del self._dependents[owner]

    def resource_of(self, reference: dict[str, Any]) -> ResourceType | None:
        """The type an owner reference names, as far as it is watched."""
        group, _, _ = reference["apiVersion"].rpartition("/")
        for resource in self._informers:
            if resource.kind == reference["kind"] and resource.group == group:
                return resource
        return None

    def known_absent(self, uid: str) -> bool:
        return uid in self._absent

    def note_absent(self, uid: str) -> None:
        self._absent[uid] = None
        if len(self._absent) > _ABSENT_REMEMBERED:
            self._absent.popitem(last=False)

    # ---- changes

    def _follow(self, informer: Informer, changes: Sequence[Change]) -> None:
        for old, new in changes:
            if new is None:
                if old is not None:
                    self._gone(old)
            elif old is None:
                self._places[objects.uid(new)] = (informer, objects.key(new))
                self._link(new)
                self._look(new)
            elif _matters(old, new):
                self._unlink(old)
                self._link(new)
                self._look(new)
                self._wake_blocked_owners(old)

    def _gone(self, obj: Object) -> None:
        uid = objects.uid(obj)
        self._unlink(obj)
        self._places.pop(uid, None)
        self.note_absent(uid)
        for dependent in self._dependents.get(uid, ()):
            self._wake(dependent)
        self._wake_blocked_owners(obj)

    def _look(self, obj: Object) -> None:
        """Whether a new or changed object gives anything to do."""
        meta = obj["metadata"]
        if "deletionTimestamp" in meta:
            if meta.get("finalizers") and (awaits_dependents(obj) or awaits_orphaning(obj)):
                self._wake(meta["uid"])
            return
        for reference in meta.get("ownerReferences") or ():
            place = self._places.get(reference["uid"])
            owner = place[0].get(place[1]) if place is not None else None
            if owner is None or "deletionTimestamp" in owner["metadata"] or _misplaced(owner, obj):
                self._wake(meta["uid"])
                return

    def _wake_blocked_owners(self, obj: Object) -> None:
        """An owner waiting in the foreground may have lost what blocked it."""
        for uid in _owner_uids(obj):
            owner = self.find(uid)
            if owner is not None and awaits_dependents(owner[1]):
                self._wake(uid)


def _misplaced(owner: Object, dependent: Object) -> bool:
    """A namespaced owner can only own in its namespace."""
    space = objects.namespace(owner)
    return bool(space) and space != objects.namespace(dependent)


def _matters(old: Object, new: Object) -> bool:
    before, after = old["metadata"], new["metadata"]
    owners, known = after.get("ownerReferences"), before.get("ownerReferences")
    return bool(
        (owners is not known and owners != known)
        or before.get("finalizers") != after.get("finalizers")
        or before.get("deletionTimestamp") != after.get("deletionTimestamp")
    )
