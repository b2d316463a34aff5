"""Static pods and their mirrors: a control-plane component shown as a pod of the node it runs on, as a kubeadm cluster does.

The component is real and runs in the daemon; the StaticPod's `state` says how it does, and the mirror pod's status follows.
A deleted mirror comes back, because the static pod was never affected.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging

from controllers.kubelet import images
from controllers.kubelet.kubelet import MIRROR_ANNOTATION, Kubelet
from controllers.kubelet.node_config import StaticPod, StaticPodState
from controllers.kubelet.pod_status import merge_conditions
from controllers.kubelet.pod_worker import revision
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import AlreadyExists, ApiError, Conflict, NotFound
from kctl.client.errors import ConnectionFailed

_log = logging.getLogger(__name__)
HASH_ANNOTATION = "kubernetes.io/config.hash"
NAMESPACE = "kube-system"
_EMPTY: Object = {}


def config_hash(manifest: Object, node: str) -> str:
    """Names this version of the manifest on this node; a mirror with another hash is replaced."""
    text = json.dumps(manifest, sort_keys=True, default=str)
    return hashlib.md5(f"{text}host:{node}file".encode(), usedforsecurity=False).hexdigest()


def mirror(static: StaticPod, kubelet: Kubelet, now: str) -> Object:
    """The pod the kubelet creates in the API for a static pod."""
    manifest = static.manifest
    digest = config_hash(manifest, kubelet.name)
    owner = {
        "apiVersion": "v1",
        "kind": "Node",
        "name": kubelet.name,
        "uid": objects.uid(kubelet.node),
        "controller": True,
    }
    meta: Object = {
        "name": f"{objects.name(manifest)}-{kubelet.name}",
        "namespace": objects.namespace(manifest) or NAMESPACE,
        "labels": dict(objects.labels(manifest)),
        "annotations": {
            **objects.annotations(manifest),
            HASH_ANNOTATION: digest,
            MIRROR_ANNOTATION: digest,
            "kubernetes.io/config.seen": now,
            "kubernetes.io/config.source": "file",
        },
        "ownerReferences": [owner],
    }
    spec: Object = {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "priority": 2000001000,
        "enableServiceLinks": True,
        **objects.spec(manifest),
        "nodeName": kubelet.name,
        "tolerations": [{"effect": "NoExecute", "operator": "Exists"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def mirror_status(pod: Object, static: StaticPod, state: StaticPodState, kubelet: Kubelet, start_time: str) -> Object:
    """The mirror's status out of the component's real state."""
    now = kubelet.context.stamp()
    old = objects.status(pod)
    containers = [_container_status(spec, pod, state, kubelet, now) for spec in objects.spec(pod).get("containers") or ()]
    unready = [container["name"] for container in containers if not container["ready"]]
    ready = ("True", "", "")
    if unready:
        ready = ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    generation = pod["metadata"].get("generation")
    wanted = [
        ("PodReadyToStartContainers", "True", "", ""),
        ("Initialized", "True", "", ""),
        ("Ready", *ready),
        ("ContainersReady", *ready),
        ("PodScheduled", "True", "", ""),
    ]
    status: Object = {"observedGeneration": generation} if generation else {}
    if old.get("qosClass"):
        status["qosClass"] = old["qosClass"]
    return {
        **status,
        "phase": "Running" if state.running or state.restarts or state.exit_code is not None else "Pending",
        "conditions": merge_conditions(old.get("conditions") or (), wanted, now, generation),
        "hostIP": kubelet.address,
        "hostIPs": kubelet.host_ips,
        "podIP": kubelet.address,
        "podIPs": kubelet.host_ips,
        "startTime": old.get("startTime") or start_time,
        "containerStatuses": containers,
    }


def _container_status(spec: Object, pod: Object, state: StaticPodState, kubelet: Kubelet, now: str) -> Object:
    image = str(spec.get("image") or "")
    full = images.reference(image) if image else ""
    since = times.rfc3339(state.started_at) if state.started_at is not None else now
    digest = hashlib.sha256(f"{objects.uid(pod)}/{spec['name']}/{state.restarts}".encode()).hexdigest()
    shown: Object = {"waiting": {"reason": state.reason} | ({"message": state.message} if state.message else {})}
    if state.running:
        shown = {"running": {"startedAt": since}}
    elif state.exit_code is not None:
        ended = {"exitCode": state.exit_code, "reason": state.reason, "startedAt": since}
        before = [earlier.get("state", {}).get("terminated") for earlier in objects.status(pod).get("containerStatuses") or ()]
        known = next((each for each in before if each and ended.items() <= each.items()), None)
        ended["finishedAt"] = known["finishedAt"] if known else now
        shown = {"terminated": ended | ({"message": state.message} if state.message else {})}
    return {
        "name": spec["name"],
        "state": shown,
        "lastState": _EMPTY,
        "ready": state.running,
        "started": state.running,
        "restartCount": state.restarts,
        "image": full,
        "imageID": images.image_id(full) if full else "",
        "containerID": f"{kubelet.runtime.name}://{digest}",
        "resources": spec.get("resources") or _EMPTY,
    }


class StaticPodRunner:
    """The static pods of one node. `refresh` compares every component's state with what the mirror shows."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self._by_key: dict[str, StaticPod] = {}
        self._mirrors: dict[str, Object] = {}
        self._shown: dict[str, tuple[Object, StaticPodState, str]] = {}
        """The mirror that showed the state of a component, on a Node of that uid."""
        self._start_time = ""
        self._running = False
        self._again = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._start_time = self._kubelet.context.stamp()
        for static in self._kubelet.config.static_pods:
            wanted = mirror(static, self._kubelet, self._start_time)
            self._by_key[objects.key(wanted)] = static
        await self._refresh_all()

    def static_pod(self, key: str) -> StaticPod | None:
        return self._by_key.get(key)

    def refresh(self) -> None:
        """Soon; several requests become one."""
        if not self._by_key:
            return
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def pod_changed(self, pod: Object) -> None:
        """News of a pod that may be a mirror: one being deleted is let go, and comes back."""
        key = objects.key(pod)
        if key in self._by_key:
            known = self._mirrors.get(key)
            if known is None or revision(pod) > revision(known):
                self._mirrors[key] = pod
            if objects.deletion_timestamp(pod):
                self.refresh()

    def pod_removed(self, pod: Object) -> None:
        key = objects.key(pod)
        if key in self._by_key:
            self._mirrors.pop(key, None)
            self.refresh()

    async def _drain(self) -> None:
        while self._again:
            self._again = False
            await self._refresh_all()

    async def _refresh_all(self) -> None:
        await asyncio.gather(*(self._refresh(key, static) for key, static in list(self._by_key.items())))

    async def _refresh(self, key: str, static: StaticPod) -> None:
        state, node = static.state(), objects.uid(self._kubelet.node)
        shown = self._shown.get(key)
        if shown is not None and shown[0] is self._mirrors.get(key) and shown[1:] == (state, node):
            return  # asked with every heartbeat
        try:
            pod = await self._ensure(key, static)
            status = mirror_status(pod, static, state, self._kubelet, self._start_time)
            if not _same(status, objects.status(pod)):
                pod = self._mirrors[key] = await self._kubelet.client.update_status(PODS, {**pod, "status": status})
            self._shown[key] = pod, state, node
        except (NotFound, Conflict):
            self._mirrors.pop(key, None)
            self._again = True
        except (ApiError, ConnectionFailed) as error:
            _log.warning("mirror pod %s not written: %s", key, error)

    async def _ensure(self, key: str, static: StaticPod) -> Object:
        """The mirror as the API has it, created or replaced where need be."""
        client = self._kubelet.client
        wanted = mirror(static, self._kubelet, self._start_time)
        present = self._mirrors.get(key)
        if present is None:
            try:
                present = await client.create(PODS, wanted)
                self._tell(present)
            except AlreadyExists:
                present = await client.get(PODS, objects.name(wanted), objects.namespace(wanted))
        stale = objects.annotations(present).get(MIRROR_ANNOTATION) != wanted["metadata"]["annotations"][MIRROR_ANNOTATION]
        if stale or objects.deletion_timestamp(present):
            uid = objects.uid(present)
            await client.delete(PODS, objects.name(wanted), objects.namespace(wanted), grace_period_seconds=0, uid=uid)
            present = await client.create(PODS, wanted)
            self._tell(present)
        self._mirrors[key] = present
        return present

    def _tell(self, pod: Object) -> None:
        for spec in objects.spec(pod).get("containers") or ():
            path = f"spec.containers{{{spec['name']}}}"
            present = f'Container image "{spec.get("image")}" already present on machine and can be accessed by the pod'
            self._kubelet.event(pod, "Normal", "Pulled", present, path)
            self._kubelet.event(pod, "Normal", "Created", "Container created", path)
            self._kubelet.event(pod, "Normal", "Started", "Container started", path)


def _same(wanted: Object, shown: Object) -> bool:
    """Whether the API already shows it; times of an exit that was noticed anew do not count."""
    return {key: shown.get(key) for key in wanted} == wanted
