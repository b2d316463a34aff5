"""Pods made from one template share one admitted spec.

A controller makes all its pods from the very same template dict. Defaulting, admission and validation of a spec depend only on the
spec, the namespace and a few other objects (service account, limit ranges, priority classes); so the outcome of the first pod
is kept by the identity of the dict that came in and given to the next ones, which then cost nothing and share its memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from kctl.apimachinery.objects import Object

LIMIT = 1000


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


class AdmittedSpecs:
    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, str, str], AdmittedSpec] = OrderedDict()

    def find(self, plural: str, namespace: str, obj: Object, state: tuple[int, ...]) -> AdmittedSpec | None:
        spec = obj.get("spec")
        found = self._known.get((id(spec), plural, namespace))
        if found is None or found.state != state or found.annotations_source != obj["metadata"].get("annotations"):
            return None
        return found

    def remember(self, plural: str, namespace: str, source: Object, admitted: Object, state: tuple[int, ...]) -> None:
        """`source` is what came in, `admitted` what came of it; parts of both are kept and must not change any more."""
        spec = source.get("spec")
        if not isinstance(spec, dict):
            return
        before = (source.get("metadata") or {}).get("annotations")
        after = admitted["metadata"].get("annotations") or {}
        added = {key: value for key, value in after.items() if (before or {}).get(key) != value}
        entry = AdmittedSpec(spec, before, admitted["spec"], admitted.get("status"), added, state)
        self._known[id(spec), plural, namespace] = entry
        if len(self._known) > LIMIT:
            self._known.popitem(last=False)
