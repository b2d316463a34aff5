"""VolumeBinding: a pod goes where its volumes are, and claims that wait for their first consumer get theirs where the pod goes.

PreFilter sorts the pod's claims; Filter asks of each node whether what is bound can be used there, and whether the rest can be bound or
provisioned there; Reserve promises volumes; PreBind writes the promises (claimRef on a volume, the selected node on a claim) and
waits until the binder has kept them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, Code, CycleState, DependsOn, Status, Wake, unresolvable
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.kube_scheduler.volume_cache import VolumeCache
from controllers.runtime import volumes
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, SELECTED_NODE
from kctl.apimachinery import clock as clocks
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed

BIND_TIMEOUT_SECONDS = 600.0

_CONFLICT = "node(s) had volume node affinity conflict"
_NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
_VOLUME_GONE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"


class _Promises(NamedTuple):
    """What is to be written: volumes with their new claimRef, claims with their selected node."""

    volumes: list[Object]
    claims: list[Object]


@dataclass(slots=True)
class _Claims:
    """A pod's, and what each node that passes the filter would promise for those that are not bound."""

    bound: list[Object] = field(default_factory=list)
    delayed: list[Object] = field(default_factory=list)
    promises: dict[str, _Promises] = field(default_factory=dict)


class VolumeBinding:
    name = "VolumeBinding"
    depends_on = DependsOn.STATIC
    reads = Reads(claims=True)
    wakes = (Wake(ClusterEvent.NODE_ADD | ClusterEvent.NODE_LABEL | ClusterEvent.PERSISTENT_VOLUME | ClusterEvent.STORAGE_CLASS),)

    def __init__(self, cache: VolumeCache, client: Client, clock: Clock, timeout_seconds: float = BIND_TIMEOUT_SECONDS) -> None:
        """`timeout_seconds`: how long a pod waits for its claims to be bound (VolumeBindingArgs' bindTimeoutSeconds)."""
        self._timeout_seconds = timeout_seconds
        self._cache = cache
        self._client = client
        self._clock = clock

    # ---- the scheduling cycle

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> Status | None:
        if not pod.shape.has_claims:
            return None
        state.reusable = False
        found, immediate = _Claims(), False
        for use in volumes.uses_of(pod.pod):
            claim = self._cache.claims.get(f"{objects.namespace(pod.pod)}/{use.claim}")
            why = _unusable(pod.pod, use, claim)
            if why or claim is None:
                return unresolvable(self.name, why)
            if volumes.is_fully_bound(claim):
                found.bound.append(claim)
            elif volumes.is_delayed(claim, self._cache.storage_class) and not objects.spec(claim).get("volumeName"):
                found.delayed.append(claim)
            else:
                immediate = True
        if immediate:
            return unresolvable(self.name, "pod has unbound immediate PersistentVolumeClaims")
        found.delayed.sort(key=lambda claim: (quantity.parse(volumes.requested(claim)), objects.key(claim)))
        state.data[self.name] = found
        return None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        claims = state.data.get(self.name)
        if claims is None:
            return None
        reasons = []
        for claim in claims.bound:
            volume = self._cache.volumes.get(str(objects.spec(claim).get("volumeName")))
            if volume is None:
                reasons.append(_VOLUME_GONE)
                break
            if not volumes.node_matches(volume, node.labels):
                reasons.append(_CONFLICT)
                break
        if claims.delayed:
            promises = self._find(claims.delayed, node)
            if promises is None:
                reasons.append(_NO_VOLUME)
            else:
                claims.promises[node.name] = promises
        return unresolvable(self.name, *reasons) if reasons else None

    def _find(self, claims: Sequence[Object], node: NodeInfo) -> _Promises | None:
        """What to promise so that the node has volumes for all of them."""
        chosen: list[Object] = []
        provisioned: list[Object] = []
        for claim in claims:
            selected = objects.annotations(claim).get(SELECTED_NODE)
            if selected and selected != node.name:
                return None
            volume = None
            if not selected:
                taken = [objects.name(each) for each in chosen]
                offered = self._cache.candidates(claim)
                volume = volumes.best_match(claim, offered, node_labels=node.labels, excluded=taken, delayed=True)
            if volume is not None:
                chosen.append(volumes.bound_to(volume, claim))
            elif self._can_provision(claim, node):
                annotations = {**objects.annotations(claim), SELECTED_NODE: node.name}
                provisioned.append(objects.with_metadata(claim, annotations=annotations))
            else:
                return None
        return _Promises(chosen, provisioned)

    def _can_provision(self, claim: Object, node: NodeInfo) -> bool:
        storage_class = self._cache.storage_class(volumes.claim_class(claim))
        if storage_class is None or storage_class.get("provisioner") in (None, "", volumes.NO_PROVISIONER):
            return False
        return volumes.topology_matches(storage_class, node.labels)

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        claims = state.data.get(self.name)
        if claims is None or not claims.delayed:
            return None
        promises = claims.promises[node]
        for volume in promises.volumes:
            self._cache.volumes.put(volume)
        for claim in promises.claims:
            self._cache.claims.put(claim)
        return None

    def unreserve(self, state: CycleState, pod: PodInfo, node: str) -> None:
        claims = state.data.get(self.name)
        promises = claims.promises.pop(node, None) if claims is not None else None
        if promises is not None:
            for volume in promises.volumes:
                self._cache.volumes.drop(objects.name(volume))
            for claim in promises.claims:
                self._cache.claims.drop(objects.key(claim))

    # ---- the binding cycle

    async def pre_bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        claims: _Claims | None = state.data.get(self.name)
        promises = claims.promises.get(node) if claims is not None else None
        if claims is None or promises is None:
            return None
        try:
            await self._write(promises, node)
            why = await self._wait(pod, node, [objects.key(claim) for claim in claims.delayed])
        except TimeoutError:
            why = "context deadline exceeded"
        except (ApiError, ConnectionFailed) as error:
            why = str(error)
        return Status(Code.ERROR, (f"binding volumes: {why}",), self.name) if why else None

    async def _write(self, promises: _Promises, node: str) -> None:
        """A volume is for whoever comes first; a claim's node is the same for all pods that have the claim, so none is in another's way."""
        for volume in promises.volumes:
            self._cache.observe((), (await self._client.update(PERSISTENT_VOLUMES, volume),))
        for claim in promises.claims:
            patch = {"metadata": {"uid": objects.uid(claim), "annotations": {SELECTED_NODE: node}}}
            written = await self._client.patch(PERSISTENT_VOLUME_CLAIMS, objects.name(claim), patch, objects.namespace(claim))
            self._cache.observe((written,), ())

    async def _wait(self, pod: PodInfo, node: str, keys: Sequence[str]) -> str:
        """Until all are bound; why not, where something happened that ends the hope."""
        changed = self._cache.wait_for([*keys, pod.key])
        try:
            async with clocks.timeout(self._clock, self._timeout_seconds):
                while True:
                    changed.clear()
                    present = self._cache.pods.get(pod.key)
                    if present is None or objects.uid(present) != pod.uid:
                        return f'pod does not exist any more: pod "{objects.name(pod.pod)}" not found'
                    waiting = False
                    for key in keys:
                        why, bound = self._progress(key, node)
                        if why:
                            return why
                        waiting |= not bound
                    if not waiting:
                        return ""
                    await changed.wait()
        finally:
            self._cache.done(changed)

    def _progress(self, key: str, node: str) -> tuple[str, bool]:
        claim, _ = self._cache.present(key)
        if claim is None:
            return f'failed to check provisioning pvc: could not find v1.PersistentVolumeClaim "{key}"', False
        if volumes.is_fully_bound(claim):
            return "", True
        if not self._cache.is_reserved(claim) and objects.annotations(claim).get(SELECTED_NODE) != node:
            return f'provisioning failed for PVC "{objects.name(claim)}"', False
        return "", False


def _unusable(pod: Object, use: volumes.Use, claim: Object | None) -> str:
    """Why a pod cannot have the claim, in the scheduler's words."""
    if claim is None:
        if use.ephemeral:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{use.claim}"'
        return f'persistentvolumeclaim "{use.claim}" not found'
    if objects.status(claim).get("phase") == "Lost":
        name = objects.spec(claim).get("volumeName") or ""
        return f'persistentvolumeclaim "{use.claim}" bound to non-existent persistentvolume "{name}"'
    if objects.deletion_timestamp(claim):
        return f'persistentvolumeclaim "{use.claim}" is being deleted'
    return volumes.foreign_owner(pod, claim) if use.ephemeral else ""
