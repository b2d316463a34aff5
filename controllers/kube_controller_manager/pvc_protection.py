"""persistentvolumeclaim-protection-controller: a claim that is being deleted goes when no scheduled pod uses it any more."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime import finalizers, volumes
from controllers.runtime.indexer import SPEC
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source, Watches
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS

FINALIZER = "kubernetes.io/pvc-protection"


def uses(pod: Object, claim: Object) -> bool:
    """Pods without a node do not count: a kubelet would not start one whose claim is being deleted. An ephemeral volume's claim is
    free as soon as the kubelet is done with the pod, so that the two do not wait for one another."""
    if not objects.spec(pod).get("nodeName"):
        return False
    for use in volumes.uses_of(pod):
        if use.claim == objects.name(claim) and (not use.ephemeral or (not volumes.foreign_owner(pod, claim) and not _is_shut_down(pod))):
            return True
    return False


def _is_shut_down(pod: Object) -> bool:
    """The kubelet is done with it, or it was deleted by force."""
    meta = pod["metadata"]
    return bool(meta.get("deletionTimestamp")) and meta.get("deletionGracePeriodSeconds") == 0


def _frees_claims(old: Object | None, new: Object | None) -> bool:
    return new is None or _is_shut_down(new) or (old is not None and old["metadata"]["uid"] != new["metadata"]["uid"])


class PvcProtectionController(LoopController):
    name = "persistentvolumeclaim-protection-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._claims = context.informers.informer(PERSISTENT_VOLUME_CLAIMS)
        self._pods = context.informers.informer(PODS)
        self._pods.add_index(volumes.CLAIM_INDEX, volumes.claims_of, SPEC)

    def wakes(self) -> Sequence[Source]:
        return (
            For(PERSISTENT_VOLUME_CLAIMS),
            Watches(PODS, to=volumes.claims_of, when=_frees_claims),
        )

    async def reconcile(self, key: str) -> None:
        claim = self._claims.get(key)
        if claim is None:
            return
        client = self.context.client
        if finalizers.awaits(claim, FINALIZER):
            if not await self._is_used(claim):
                await finalizers.remove(client, PERSISTENT_VOLUME_CLAIMS, claim, FINALIZER)
        elif finalizers.lacks(claim, FINALIZER):
            await finalizers.add(client, PERSISTENT_VOLUME_CLAIMS, claim, FINALIZER)

    async def _is_used(self, claim: Object) -> bool:
        """Asks the server too before it says no: a watch that is late must not cost anybody their data."""
        if any(uses(pod, claim) for pod in self._pods.by_index(volumes.CLAIM_INDEX, objects.key(claim))):
            return True
        pods = (await self.context.client.list(PODS, objects.namespace(claim))).get("items") or ()
        return any(uses(pod, claim) for pod in pods)
