"""persistentvolume-attach-detach-controller: CSI volumes of the pods on a node get a VolumeAttachment, and lose it with the last of them.

A driver's external attacher answers a VolumeAttachment. Keys are names of nodes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence

from controllers.runtime import attachments, pods, volumes
from controllers.runtime.attachments import CSI_DRIVERS, VOLUME_ATTACHMENTS
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.indexer import SPEC
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import Source, Watches
from controllers.runtime.volumes import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS
from kctl.apimachinery.status import AlreadyExists, NotFound

ATTACH_TIMEOUT_SECONDS = 120.0

_NODE_INDEX, _VOLUME_INDEX = "attached-to", "of-volume"
_OURS = re.compile(r"csi-[0-9a-f]{64}")
"""Names as this controller gives them: what somebody else has made is not deleted."""
_ONE_NODE = {"ReadWriteOnce", "ReadWriteOncePod"}


class AttachDetachController(LoopController):
    name = "persistentvolume-attach-detach-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        informers = context.informers
        self._pods, self._nodes = informers.informer(PODS), informers.informer(NODES)
        self._pods.add_index(pods.NODE_INDEX, pods.by_node, SPEC)
        self._pods.add_index(volumes.CLAIM_INDEX, volumes.claims_of, SPEC)
        self._claims = informers.informer(PERSISTENT_VOLUME_CLAIMS)
        self._volumes = informers.informer(PERSISTENT_VOLUMES)
        self._drivers = informers.informer(CSI_DRIVERS)
        self._attachments = informers.informer(VOLUME_ATTACHMENTS)
        self._attachments.add_index(_NODE_INDEX, _node_of)
        self._attachments.add_index(_VOLUME_INDEX, lambda attachment: (_volume_of(attachment),))
        self._recorder = context.recorder("attachdetach-controller")
        self._told: dict[str, set[str]] = {}
        """By attachment the pods (uid) to whom its success was said, and those (`refused/` and the uid) who were told that they wait."""

    def wakes(self) -> Sequence[Source]:
        return (
            Watches(PODS, to=pods.by_node, when=_matters),
            Watches(PERSISTENT_VOLUME_CLAIMS, to=self._nodes_of_claim),
            Watches(VOLUME_ATTACHMENTS, to=_node_of),
            Watches(CSI_DRIVERS, to=lambda _: [objects.name(node) for node in self._nodes.list()]),
        )

    def _nodes_of_claim(self, claim: Object) -> list[str]:
        users = self._pods.by_index(volumes.CLAIM_INDEX, objects.key(claim))
        return [node for pod in users for node in pods.by_node(pod)]

    async def reconcile(self, key: str) -> Result | None:
        wanted = self._wanted(key)
        for attachment in list(self._attachments.by_index(_NODE_INDEX, key)):
            name = objects.name(attachment)
            if name not in wanted and _OURS.fullmatch(name) and not objects.deletion_timestamp(attachment):
                await self._detach(attachment)
        wait: float | None = None
        for name, (volume, users) in wanted.items():
            left = await self._attach(key, name, volume, users)
            if left is not None:
                wait = left if wait is None else min(wait, left)
        await self._report(key, wanted)
        return Result(requeue_after=wait) if wait is not None else None

    def _wanted(self, node: str) -> dict[str, tuple[Object, list[Object]]]:
        """By name of the VolumeAttachment: the volume, and the pods on the node that use it."""
        found: dict[str, tuple[Object, list[Object]]] = {}
        for pod in self._pods.by_index(pods.NODE_INDEX, node):
            if pods.is_terminal(pod):
                continue
            for key in volumes.claims_of(pod):
                claim = self._claims.get(key)
                if claim is None or not volumes.is_fully_bound(claim):
                    continue
                volume = self._volumes.get(str(objects.spec(claim)["volumeName"]))
                if volume is not None and self._is_attachable(volume):
                    found.setdefault(attachments.attachment_name(volume, node), (volume, []))[1].append(pod)
        return found

    def _is_attachable(self, volume: Object) -> bool:
        return attachments.needs_attaching(volume, self._drivers.get(attachments.driver_of(volume)))

    # ---- attaching

    async def _attach(self, node: str, name: str, volume: Object, users: Sequence[Object]) -> float | None:
        """Seconds until it is to be looked at again, where it is waited for."""
        attachment = self._attachments.get(name)
        if attachment is None:
            if self._is_held_elsewhere(name, node, volume, users):
                return None
            attachment = await self._create(node, name, volume)
        if objects.deletion_timestamp(attachment):
            return None
        if attachments.is_attached(attachment):
            self._say_attached(name, volume, users)
            return None
        return self._say_why(attachment, volume, users)

    async def _create(self, node: str, name: str, volume: Object) -> Object:
        source = {"persistentVolumeName": objects.name(volume)}
        spec = {"attacher": attachments.driver_of(volume), "nodeName": node, "source": source}
        body = {"apiVersion": VOLUME_ATTACHMENTS.api_version, "kind": VOLUME_ATTACHMENTS.kind, "metadata": {"name": name}, "spec": spec}
        try:
            made = await self._client.create(VOLUME_ATTACHMENTS, body)
        except AlreadyExists:
            return await self._client.get(VOLUME_ATTACHMENTS, name)
        self._attachments.observe((made,))
        return made

    def _is_held_elsewhere(self, name: str, node: str, volume: Object, users: Sequence[Object]) -> bool:
        """A volume of one node that another still has: said of each pod that wants it."""
        if not set(objects.spec(volume).get("accessModes") or ()) <= _ONE_NODE:
            return False
        if all(_node_of(each) == (node,) for each in self._attachments.by_index(_VOLUME_INDEX, objects.name(volume))):
            return False
        holders = self._pods.by_index(volumes.CLAIM_INDEX, volumes.claim_key_of(volume))
        names = sorted(objects.name(pod) for pod in holders if pods.by_node(pod) not in ((), (node,)) and not pods.is_terminal(pod))
        why = (
            f"Volume is already used by pod(s) {', '.join(names)}"
            if names
            else "Volume is already exclusively attached to one node and can't be attached to another"
        )
        for pod in users:
            if self._is_new(name, f"refused/{objects.uid(pod)}"):
                self._recorder.event(pod, WARNING, "FailedAttachVolume", f'Multi-Attach error for volume "{objects.name(volume)}" {why}')
        return True

    def _is_new(self, name: str, told: str) -> bool:
        known = self._told.setdefault(name, set())
        if told in known:
            return False
        known.add(told)
        return True

    def _say_attached(self, name: str, volume: Object, users: Iterable[Object]) -> None:
        for pod in users:
            if self._is_new(name, objects.uid(pod)):
                message = f'AttachVolume.Attach succeeded for volume "{objects.name(volume)}"'
                self._recorder.event(pod, NORMAL, "SuccessfulAttachVolume", message)

    def _say_why(self, attachment: Object, volume: Object, users: Iterable[Object]) -> float:
        error = (objects.status(attachment).get("attachError") or {}).get("message")
        age = (self.context.clock.now() - times.parse(objects.metadata(attachment)["creationTimestamp"])).total_seconds()
        if not error and age < ATTACH_TIMEOUT_SECONDS:
            return ATTACH_TIMEOUT_SECONDS - age
        handle = (objects.spec(volume).get("csi") or {}).get("volumeHandle")
        waited = f"timed out waiting for external-attacher of {attachments.driver_of(volume)} CSI driver to attach volume {handle}"
        message = f'AttachVolume.Attach failed for volume "{objects.name(volume)}" : {error or waited}'
        for pod in users:
            self._recorder.event(pod, WARNING, "FailedAttachVolume", message)
        return ATTACH_TIMEOUT_SECONDS

    # ---- detaching, and saying so

    async def _detach(self, attachment: Object) -> None:
        name = objects.name(attachment)
        self._told.pop(name, None)
        with contextlib.suppress(NotFound):
            await self._client.delete(VOLUME_ATTACHMENTS, name, uid=objects.uid(attachment))
            self._attachments.observe_deleted(name, objects.uid(attachment))
        for waiting in sorted({node for pod in self._users_of(attachment) for node in pods.by_node(pod)}):
            self.loop.enqueue(waiting)

    def _users_of(self, attachment: Object) -> Iterable[Object]:
        volume = self._volumes.get(_volume_of(attachment))
        return self._pods.by_index(volumes.CLAIM_INDEX, volumes.claim_key_of(volume)) if volume is not None else ()

    async def _report(self, key: str, wanted: Mapping[str, tuple[Object, list[Object]]]) -> None:
        """node.status.volumesAttached, which the kubelet waits for."""
        node = self._nodes.get(key)
        if node is None:
            return
        attached = [volume for name, (volume, _) in sorted(wanted.items()) if attachments.is_attached(self._attachments.get(name))]
        shown = [{"name": attachments.unique_name(volume), "devicePath": ""} for volume in attached]
        if shown != (objects.status(node).get("volumesAttached") or []):
            with contextlib.suppress(NotFound):
                patch = {"status": {"volumesAttached": shown or None}}
                self._nodes.observe((await self._client.patch(NODES, key, patch, subresource="status"),))


def _node_of(attachment: Object) -> tuple[str, ...]:
    node = objects.spec(attachment).get("nodeName")
    return (node,) if node else ()


def _volume_of(attachment: Object) -> str:
    return str((objects.spec(attachment).get("source") or {}).get("persistentVolumeName") or "")


def _matters(old: Object | None, new: Object | None) -> bool:
    """Pods with claims: they come to a node, end, or go."""
    either = new or old
    if either is None or not volumes.has_claims(either):
        return False
    return old is None or new is None or old["spec"] is not new["spec"] or pods.is_terminal(old) != pods.is_terminal(new)
