"""How many pods an owner has, of which state: counted up and down with every change, never by looking at all of them.

With 20,000 pods in one ReplicaSet and a status write per batch of changes, walking them for each write would be quadratic.
Labels are tallied too: an owner's pods have very few different label sets, so selectors are matched per set, not per pod.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from controllers.runtime import pods
from controllers.runtime.indexer import OWNERS
from controllers.runtime.informer import Change, Informer
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object

LabelSet = tuple[tuple[str, str], ...]


class Tally:
    """Counts of one owner's pods. `labels` counts the active ones per label set, `all_labels` all of them."""

    __slots__ = ("active", "all_labels", "labels", "ready", "terminating", "total")

    def __init__(self) -> None:
        self.total = 0
        self.active = 0
        self.ready = 0
        self.terminating = 0
        self.labels: dict[LabelSet, int] = {}
        self.all_labels: dict[LabelSet, int] = {}

    def with_labels(self, wanted: Mapping[str, str]) -> int:
        """Active pods that carry all of `wanted`."""
        return sum(count for labels, count in self.labels.items() if wanted.items() <= dict(labels).items())

    def all_match(self, selector: Selector) -> bool:
        return all(selector.matches(dict(labels)) for labels in self.all_labels)


NO_PODS = Tally()


def _label_set(pod: Object) -> LabelSet:
    labels = pod["metadata"].get("labels")
    return tuple(sorted(labels.items())) if labels else ()


def _count(counts: dict[LabelSet, int], labels: LabelSet, step: int) -> None:
    value = counts.get(labels, 0) + step
    if value:
        counts[labels] = value
    else:
        counts.pop(labels, None)


class OwnedPods:
    """Tallies of the pods controlled by objects of `kind`, by the owner's uid. Call `apply` with every batch of changes."""

    def __init__(self, informer: Informer, kind: str) -> None:
        self._informer = informer
        self._kind = kind
        self._tallies: dict[str, Tally] = {}
        informer.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)
        informer.add_index(pods.ORPHANS_INDEX, pods.by_namespace_without_controller, OWNERS)

    def tally(self, uid: str) -> Tally:
        return self._tallies.get(uid, NO_PODS)

    def owned(self, uid: str) -> Collection[Object]:
        return self._informer.by_index(pods.CONTROLLER_INDEX, uid)

    def orphans(self, namespace: str) -> Collection[Object]:
        return self._informer.by_index(pods.ORPHANS_INDEX, namespace)

    def apply(self, changes: Sequence[Change]) -> list[str]:
        """Keys of the owners whose pods changed, each once and in the order of the changes."""
        owners: dict[tuple[str, str], None] = {}
        for old, new in changes:
            if old is not None and new is not None and self._adjust(old, new, owners):
                continue
            if old is not None:
                self._add(old, -1, owners)
            if new is not None:
                self._add(new, 1, owners)
        return [f"{namespace}/{name}" for namespace, name in owners]

    def _adjust(self, old: Object, new: Object, owners: dict[tuple[str, str], None]) -> bool:
        """The usual change, of status alone, in a few steps."""
        before, after = old["metadata"], new["metadata"]
        references, known = after.get("ownerReferences"), before.get("ownerReferences")
        if not references or (references is not known and references != known):
            return False
        for reference in references:
            if reference.get("controller") and reference["kind"] == self._kind:
                break
        else:
            return True  # another kind's
        if before.get("labels") != after.get("labels") or not (pods.is_active(old) and pods.is_active(new)):
            return False
        self._tallies[reference["uid"]].ready += pods.is_ready(new) - pods.is_ready(old)
        owners[after["namespace"], reference["name"]] = None
        return True

    def _add(self, pod: Object, step: int, owners: dict[tuple[str, str], None]) -> None:
        meta = pod["metadata"]
        for reference in meta.get("ownerReferences") or ():
            if reference.get("controller") and reference["kind"] == self._kind:
                owners[meta["namespace"], reference["name"]] = None
                self._count(reference["uid"], pod, step)

    def _count(self, uid: str, pod: Object, step: int) -> None:
        tally = self._tallies.get(uid)
        if tally is None:
            tally = self._tallies[uid] = Tally()
        labels = _label_set(pod)
        tally.total += step
        _count(tally.all_labels, labels, step)
        if pods.is_active(pod):
            tally.active += step
            _count(tally.labels, labels, step)
            if pods.is_ready(pod):
                tally.ready += step
        elif pods.is_terminating(pod):
            tally.terminating += step
        if not tally.total:
            del self._tallies[uid]
