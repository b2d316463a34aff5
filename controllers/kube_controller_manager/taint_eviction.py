"""taint-eviction-controller: deletes pods from nodes with NoExecute taints they do not tolerate, or no longer tolerate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controllers.runtime import pods
from controllers.runtime.events import NORMAL
from controllers.runtime.indexer import SPEC
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source, Watches
from controllers.runtime.tolerations import tolerates
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.times import rfc3339
from kctl.client.transport import STRATEGIC_MERGE_PATCH

Taint = dict[str, Any]

_TAINTED = "no-execute-taints"


def no_execute(node: Object) -> list[Taint]:
    return [taint for taint in objects.spec(node).get("taints") or () if taint["effect"] == "NoExecute"]


def seconds_tolerated(pod: Object, taints: Sequence[Taint]) -> float | None:
    """0: not at all; None: for ever."""
    tolerations = objects.spec(pod).get("tolerations") or ()
    used = []
    for taint in taints:
        fitting = [toleration for toleration in tolerations if tolerates(toleration, taint)]
        if not fitting:
            return 0.0
        used += fitting
    limits = [using["tolerationSeconds"] for using in used if using.get("tolerationSeconds") is not None]
    return max(float(min(limits)), 0.0) if limits else None


def _no_execute_changed(old: Object | None, new: Object | None) -> bool:
    return (no_execute(old) if old is not None else []) != (no_execute(new) if new is not None else [])


class TaintEvictionController(LoopController):
    name = "taint-eviction-controller"
    workers = 50

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder(self.name)
        self._nodes = context.informers.informer(NODES)
        self._pods = context.informers.informer(PODS)
        self._pods.add_index(pods.NODE_INDEX, pods.by_node, SPEC)
        self._due: dict[str, tuple[str, float]] = {}
        self._nodes.add_index(_TAINTED, lambda node: ("",) if no_execute(node) else ())

    def wakes(self) -> Sequence[Source]:
        return (
            For(PODS, when=self._is_on_tainted),
            Watches(NODES, to=self._pods_on, when=_no_execute_changed),
        )

    def _is_on_tainted(self, old: Object | None, new: Object | None) -> bool:
        if new is None or not self._nodes.by_index(_TAINTED, ""):
            return False
        node = self._nodes.get(objects.spec(new).get("nodeName") or "")
        return node is not None and bool(no_execute(node))

    def _pods_on(self, node: Object) -> list[str]:
        return [objects.key(pod) for pod in self._pods.by_index(pods.NODE_INDEX, objects.name(node))]

    async def reconcile(self, key: str) -> Result | None:
        pod = self._pods.get(key)
        if pod is None or objects.deletion_timestamp(pod):
            self._due.pop(key, None)
            return None
        node = self._nodes.get(objects.spec(pod).get("nodeName") or "")
        taints = no_execute(node) if node is not None else []
        if not taints:
            self._spare(key, pod)
            return None
        tolerated = seconds_tolerated(pod, taints)
        if tolerated is None:
            self._spare(key, pod)
            return None
        left = self._seconds_left(key, pod, tolerated)
        if left > 0:
            return Result(requeue_after=left)
        self._due.pop(key, None)
        await self._evict(pod)
        return None

    def _seconds_left(self, key: str, pod: Object, tolerated: float) -> float:
        """The count started when the pod was first found on the tainted node; a shorter toleration shortens it."""
        now = self._clock.monotonic()
        uid, due = self._due.get(key, ("", 0.0))
        if uid != objects.uid(pod):
            due = now + tolerated
        due = min(due, now + tolerated)
        self._due[key] = objects.uid(pod), due
        return due - now if due - now > 1e-6 else 0.0

    def _spare(self, key: str, pod: Object) -> None:
        if self._due.pop(key, None) is not None:
            self._recorder.event(pod, NORMAL, "TaintManagerEviction", f"Cancelling deletion of Pod {key}")

    async def _evict(self, pod: Object) -> None:
        name, space, uid = objects.name(pod), objects.namespace(pod), objects.uid(pod)
        self._recorder.event(pod, NORMAL, "TaintManagerEviction", f"Marking for deletion Pod {space}/{name}")
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "lastTransitionTime": rfc3339(self._clock.now()),
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
        }
        patch = {"metadata": {"uid": uid}, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(PODS, name, patch, space, patch_type=STRATEGIC_MERGE_PATCH, subresource="status")
            await self._client.delete(PODS, name, space, uid=uid)
        except NotFound:
            return
