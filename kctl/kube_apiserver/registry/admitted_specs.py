"""Pods made from one template share one admitted spec.

A controller makes all its pods from the very same template dict. Defaulting, admission and validation of a spec depend only on the
spec, the namespace and a few other objects (service account, limit ranges, priority classes); so the outcome of the first pod
is kept by the identity of the dict that came in and given to the next ones, which then cost nothing and share its memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from kctl.apimachinery.field_ownership.managed_fields import ManagedFields
from kctl.apimachinery.objects import Object

LIMIT = 1000
UNUSED_SECONDS = 300.0
"""What no pod was made from for so long is forgotten: of most templates a few pods are made in a burst, and then none any more."""


@dataclass(slots=True)
class AdmittedSpec:
    """`source` keeps the incoming dict alive, so its id stays its own. `annotations` are those admission added."""

    source: dict[str, Any]
    annotations_source: Any
    spec: dict[str, Any]
    status: dict[str, Any] | None
    annotations: dict[str, str]
    state: tuple[int, ...]
    """Newest revisions of what the outcome depends on."""
    used: float
    """On a monotonic clock."""
    defaulted: Object | None = None
    """All but the metadata, before admission; made when it is first needed."""
    made_of: Object | None = None
    manager: str = ""
    managed: ManagedFields | None = None
    """Who owns what of the newest object, what it was made of, and by whom."""

    def owned_by(self, source: Object, manager: str, now: str) -> ManagedFields | None:
        """Who owns what of an object made at `now` of the very same as the newest one; None for another."""
        managed = self.managed
        if self.made_of is not source or managed is None or self.manager != manager:
            return None
        if managed.texts[0] != now:
            managed = self.managed = ManagedFields(managed.layout, (now, *managed.texts[1:]))
        return managed


class AdmittedSpecs:
    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, str, str], AdmittedSpec] = OrderedDict()
        """In the order of their last use."""

    def find(self, plural: str, namespace: str, obj: Object, state: tuple[int, ...], now: float) -> AdmittedSpec | None:
        key = id(obj.get("spec")), plural, namespace
        found = self._known.get(key)
        if found is None or found.state != state or found.annotations_source != obj["metadata"].get("annotations"):
            return None
        found.used = now
        self._known.move_to_end(key)
        return found

    def remember(self, plural: str, namespace: str, source: Object, admitted: Object, state: tuple[int, ...], now: float) -> None:
        """`source` is what came in, `admitted` what came of it; parts of both are kept and must not change any more."""
        spec = source.get("spec")
        if not isinstance(spec, dict):
            return
        before = (source.get("metadata") or {}).get("annotations")
        after = admitted["metadata"].get("annotations") or {}
        added = {key: value for key, value in after.items() if (before or {}).get(key) != value}
        self._known[id(spec), plural, namespace] = AdmittedSpec(spec, before, admitted["spec"], admitted.get("status"), added, state, now)
        self._known.move_to_end((id(spec), plural, namespace))
        self._forget(now - UNUSED_SECONDS)

    def _forget(self, before: float) -> None:
        known = self._known
        while len(known) > LIMIT or next(iter(known.values())).used < before:
            known.popitem(last=False)
