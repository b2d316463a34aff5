"""VolumeZone: a volume with zone or region labels can be used on nodes with the same labels alone."""

from __future__ import annotations

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.kube_scheduler.volume_cache import VolumeCache
from controllers.runtime import volumes
from kctl.apimachinery import objects

_BETA_ZONE, _BETA_REGION = "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"
_TOPOLOGY = {
    "topology.kubernetes.io/zone": _BETA_ZONE,
    "topology.kubernetes.io/region": _BETA_REGION,
    _BETA_ZONE: "topology.kubernetes.io/zone",
    _BETA_REGION: "topology.kubernetes.io/region",
}
"""Label to the other name of the same."""


class VolumeZone:
    name = "VolumeZone"
    depends_on = DependsOn.STATIC
    reads = Reads(claims=True)
    wakes = (Wake(ClusterEvent.NODE_ADD | ClusterEvent.NODE_LABEL | ClusterEvent.PERSISTENT_VOLUME | ClusterEvent.STORAGE_CLASS),)

    def __init__(self, cache: VolumeCache) -> None:
        self._cache = cache

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        if not pod.shape.has_claims:
            return None
        for key in volumes.claims_of(pod.pod):
            claim = self._cache.claims.get(key)
            name = objects.spec(claim).get("volumeName") if claim is not None else None
            volume = self._cache.volumes.get(name) if name else None
            if volume is not None and not _fits(objects.labels(volume), node):
                return unresolvable(self.name, "node(s) had no available volume zone")
        return None


def _fits(labels: object, node: NodeInfo) -> bool:
    assert isinstance(labels, dict)
    for label, other in _TOPOLOGY.items():
        if label not in labels:
            continue
        value = node.labels.get(label, node.labels.get(other))
        if value not in str(labels[label]).split("__"):
            return False
    return True
