"""Who owns a workload's replica count, as its scale subresource sees it and back (apimachinery's ScaleHandler)."""

from __future__ import annotations

from kctl.apimachinery.field_ownership import sets
from kctl.apimachinery.field_ownership.entries import APPLY, Managed, Manager, Owned
from kctl.apimachinery.field_ownership.paths import fields
from kctl.apimachinery.field_ownership.sets import Path

SCALE_VERSION = "autoscaling/v1"
REPLICAS: Path = fields("spec", "replicas")
_REPLICAS = sets.of_path(REPLICAS)


def to_scale(managed: Managed, replicas: Path = REPLICAS) -> dict[Manager, Owned]:
    """The owners of the count, as managers of the Scale."""
    return {
        _of_version(who, SCALE_VERSION): Owned(_REPLICAS, SCALE_VERSION, owned.time)
        for who, owned in managed.items()
        if sets.has(owned.fields, replicas)
    }


def _of_version(who: Manager, api_version: str) -> Manager:
    return who if who.operation == APPLY else who._replace(api_version=api_version)


def to_parent(managed: Managed, scale: Managed, api_version: str, replicas: Path = REPLICAS) -> dict[Manager, Owned]:
    """The managers of the workload after a write to its Scale left those of `scale`. As upstream, who comes to own the count so gets no
    time."""
    count = sets.of_path(replicas)
    left = dict(scale)
    out: dict[Manager, Owned] = {}
    for who, owned in managed.items():
        if not sets.has(owned.fields, replicas):
            out[who] = owned
        elif who in left:
            out[who] = owned
            del left[who]
        elif kept := sets.difference(owned.fields, count):
            out[who] = owned._replace(fields=kept)
    for who, owned in left.items():
        if sets.has(owned.fields, REPLICAS):
            taker = _of_version(who, api_version)
            known, kept = managed.get(taker), out[taker].fields if taker in out else sets.LEAF
            out[taker] = Owned(sets.union(count, kept), api_version, known.time if known else "")
    return out
