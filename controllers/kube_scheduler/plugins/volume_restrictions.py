"""VolumeRestrictions: a claim with the access mode ReadWriteOncePod is one pod's at a time; and some disks are on a node only once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.kube_scheduler.volume_cache import VolumeCache
from controllers.runtime import volumes
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_TAKEN = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
_NO_DISK = "node(s) had no available disk"


class VolumeRestrictions:
    name = "VolumeRestrictions"
    depends_on = DependsOn.NODE
    reads = Reads(claims=True)
    wakes = (Wake(ClusterEvent.ASSIGNED_POD_DELETE | ClusterEvent.NODE_ADD),)

    def __init__(self, cache: VolumeCache) -> None:
        self._cache = cache

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> None:
        if pod.shape.has_claims:
            state.data[self.name] = self._users(pod, cache)

    def _users(self, pod: PodInfo, cache: Cache) -> dict[str, str]:
        """Pods (uid) that have a claim which the pod would have to be alone with, and their nodes."""
        found = {}
        for key in volumes.claims_of(pod.pod):
            claim = self._cache.claims.get(key)
            if claim is None or "ReadWriteOncePod" not in (objects.spec(claim).get("accessModes") or ()):
                continue
            for user in self._cache.pods.by_index(volumes.CLAIM_INDEX, key):
                uid = objects.uid(user)
                if uid != pod.uid and cache.holds(uid):
                    found[uid] = cache.node_of(uid)
        return found

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        """Evicting a user helps on its own node, and while it is there nowhere else."""
        if not pod.shape.has_claims:
            return None
        users: dict[str, str] = state.data.get(self.name) or {}
        wanted = _disks(pod.pod)
        if wanted and any(_conflict(mine, theirs) for other in node.pods.values() for theirs in _disks(other.pod) for mine in wanted):
            return unschedulable(self.name, _NO_DISK)
        if any(there != node.name or uid in node.pods for uid, there in users.items()):
            return unschedulable(self.name, _TAKEN)
        return None


def _disks(pod: Object) -> list[tuple[str, Object]]:
    return [(kind, volume[kind]) for volume in pod["spec"].get("volumes") or () for kind in _SAME if volume.get(kind)]


def _conflict(mine: tuple[str, Object], theirs: tuple[str, Object]) -> bool:
    (kind, one), (other_kind, other) = mine, theirs
    if kind != other_kind or not _SAME[kind](one, other):
        return False
    return kind == "awsElasticBlockStore" or not (one.get("readOnly") and other.get("readOnly"))


def _same_image(one: Object, other: Object) -> bool:
    if set(one.get("monitors") or ()).isdisjoint(other.get("monitors") or ()):
        return False
    return (one.get("pool") or "rbd", one.get("image")) == (other.get("pool") or "rbd", other.get("image"))


_SAME: Mapping[str, Callable[[Any, Any], bool]] = {
    "gcePersistentDisk": lambda one, other: one.get("pdName") == other.get("pdName"),
    "awsElasticBlockStore": lambda one, other: one.get("volumeID") == other.get("volumeID"),
    "iscsi": lambda one, other: one.get("iqn") == other.get("iqn"),
    "rbd": _same_image,
}
"""Whether two volumes of a pod's are one and the same disk, by kind."""
