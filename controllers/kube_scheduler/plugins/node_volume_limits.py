"""NodeVolumeLimits: a CSI driver attaches so many volumes to a node, as the node's CSINode says (allocatable.count), and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, CycleState, DependsOn, Status, Wake, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.kube_scheduler.volume_cache import VolumeCache
from controllers.runtime import volumes
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_TOO_MANY = "node(s) exceed max volume count"


class NodeVolumeLimits:
    name = "NodeVolumeLimits"
    depends_on = DependsOn.NODE
    reads = Reads(claims=True)
    wakes = (
        Wake(ClusterEvent.NODE_ADD | ClusterEvent.ASSIGNED_POD_DELETE | ClusterEvent.CSI_NODE | ClusterEvent.VOLUME_ATTACHMENT_DELETE),
    )

    def __init__(self, cache: VolumeCache) -> None:
        self._cache = cache

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> None:
        if pod.shape.has_claims:
            state.data[self.name] = dict(self._volumes(pod.pod))

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        wanted: dict[str, str] = state.data.get(self.name) or {}
        limits = self._limits(node.name) if wanted else {}
        if not limits:
            return None
        there = {volume: driver for other in node.pods.values() if other.shape.has_claims for volume, driver in self._volumes(other.pod)}
        there |= self._attached(node.name)
        attached, new = Counter(there.values()), Counter(driver for volume, driver in wanted.items() if volume not in there)
        if any(driver in limits and attached[driver] + count > limits[driver] for driver, count in new.items()):
            return unschedulable(self.name, _TOO_MANY)
        return None

    def _limits(self, node: str) -> dict[str, int]:
        found = self._cache.csi_nodes.get(node)
        drivers: Iterable[Object] = objects.spec(found).get("drivers") or () if found is not None else ()
        counts = {str(driver.get("name")): (driver.get("allocatable") or {}).get("count") for driver in drivers}
        return {name: count for name, count in counts.items() if count is not None}

    def _volumes(self, pod: Object) -> Iterable[tuple[str, str]]:
        """What a driver has to attach for the pod, each with the driver's name. A claim without a volume counts as the one it will get."""
        for key in volumes.claims_of(pod):
            claim = self._cache.claims.get(key)
            if claim is None:
                continue
            name = objects.spec(claim).get("volumeName")
            volume = self._cache.volumes.get(str(name)) if name else None
            if volume is not None:
                source = objects.spec(volume).get("csi")
                if source:
                    yield f"{source.get('driver')}/{source.get('volumeHandle')}", str(source.get("driver"))
            elif not name:
                storage_class = self._cache.storage_class(volumes.claim_class(claim))
                driver = (storage_class or {}).get("provisioner")
                if driver and driver != volumes.NO_PROVISIONER:
                    yield f"{driver}/pvc-{key}", str(driver)

    def _attached(self, node: str) -> dict[str, str]:
        """What is attached although no pod there uses it any more, or yet."""
        found = {}
        for attachment in self._cache.attachments_of(node):
            name = (objects.spec(attachment).get("source") or {}).get("persistentVolumeName")
            volume = self._cache.volumes.get(str(name)) if name else None
            source = objects.spec(volume).get("csi") if volume is not None else None
            if source:
                found[f"{source.get('driver')}/{source.get('volumeHandle')}"] = str(source.get("driver"))
        return found
