"""ephemeral-volume-controller: makes the claim of each generic ephemeral volume of a pod; the pod owns it, so it goes with the pod."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime import pods, volumes
from controllers.runtime.adoption import controller_reference
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.sources import Follows, Source, Watches, deleted
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import AlreadyExists, ApiError


def has_ephemeral_volumes(pod: Object) -> bool:
    return any("ephemeral" in volume for volume in pod["spec"].get("volumes") or ())


class ClaimTaken(ApiError):
    """Somebody else's claim has the name: tried again, for he may delete it. The scheduler tells the user."""


class EphemeralVolumeController(LoopController):
    name = "ephemeral-volume-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._pods = context.informers.informer(PODS)
        self._claims = context.informers.informer(PERSISTENT_VOLUME_CLAIMS)

    def wakes(self) -> Sequence[Source]:
        return (
            Follows(PODS, _new_pods),
            Watches(PERSISTENT_VOLUME_CLAIMS, to=_pod_of, when=deleted),
        )

    async def reconcile(self, key: str) -> None:
        pod = self._pods.get(key)
        if pod is None or objects.deletion_timestamp(pod) or pods.is_terminal(pod):
            return
        for volume in pod["spec"].get("volumes") or ():
            if "ephemeral" in volume:
                await self._claim(pod, volume)

    async def _claim(self, pod: Object, volume: Object) -> None:
        name, space = f"{objects.name(pod)}-{volume['name']}", objects.namespace(pod)
        present = self._claims.get(f"{space}/{name}")
        if present is None:
            present = await self._create(pod, name, volume["ephemeral"].get("volumeClaimTemplate") or {})
        why = volumes.foreign_owner(pod, present) if present is not None else ""
        if why:
            raise ClaimTaken(why)

    async def _create(self, pod: Object, name: str, template: Object) -> Object | None:
        meta = template.get("metadata") or {}
        wanted = {"name": name, "ownerReferences": [controller_reference(pod)]}
        wanted |= {field: meta[field] for field in ("labels", "annotations") if meta.get(field)}
        body: Object = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": wanted, "spec": template.get("spec") or {}}
        space = objects.namespace(pod)
        try:
            made = await self.context.client.create(PERSISTENT_VOLUME_CLAIMS, body, space)
        except AlreadyExists:
            return await self.context.client.get(PERSISTENT_VOLUME_CLAIMS, name, space)
        except ApiError as error:
            if namespace_terminating(error):
                return None
            raise
        self._claims.observe((made,))
        return made


def _new_pods(changes: Sequence[Change]) -> list[str]:
    return [objects.key(new) for old, new in changes if old is None and new is not None and has_ephemeral_volumes(new)]


def _pod_of(claim: Object) -> tuple[str, ...]:
    owner = objects.controller_of(claim)
    return (f"{objects.namespace(claim)}/{owner['name']}",) if owner is not None and owner.get("kind") == "Pod" else ()
