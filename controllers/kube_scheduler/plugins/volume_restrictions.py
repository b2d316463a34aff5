"""VolumeRestrictions: a claim with the access mode ReadWriteOncePod is one pod's at a time."""

from __future__ import annotations

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.kube_scheduler.volume_cache import VolumeCache
from controllers.runtime import volumes
from kctl.apimachinery import objects

_TAKEN = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"


class VolumeRestrictions:
    name = "VolumeRestrictions"
    depends_on = DependsOn.STATIC
    reads = Reads(claims=True)
    wakes = (Wake(ClusterEvent.ASSIGNED_POD_DELETE | ClusterEvent.NODE_ADD),)

    def __init__(self, cache: VolumeCache) -> None:
        self._cache = cache

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> Status | None:
        if pod.shape.has_claims:
            state.data[self.name] = self._is_taken(pod, cache)
        return None

    def _is_taken(self, pod: PodInfo, cache: Cache) -> bool:
        for key in volumes.claims_of(pod.pod):
            claim = self._cache.claims.get(key)
            if claim is None or "ReadWriteOncePod" not in (objects.spec(claim).get("accessModes") or ()):
                continue
            users = self._cache.pods.by_index(volumes.CLAIM_INDEX, key)
            if any(objects.uid(user) != pod.uid and cache.holds(objects.uid(user)) for user in users):
                return True
        return False

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        return unschedulable(self.name, _TAKEN) if state.data.get(self.name) else None
