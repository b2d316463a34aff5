"""pod-garbage-collector-controller: pods of nodes that are gone, pods deleted before they had a node, and finished pods
beyond the threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controllers.runtime import pods
from controllers.runtime.indexer import SPEC, STATUS
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import Follows, Source, Watches, deleted
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.times import rfc3339
from kctl.client.transport import STRATEGIC_MERGE_PATCH

QUARANTINE_SECONDS = 40.0
TERMINATED_THRESHOLD = 12_500

_FINISHED = "finished"
_NODE = "node:"


class PodGarbageCollector(LoopController):
    """Keys are pods ('namespace/name'), missing nodes ('node:name') and `finished` for all pods that have ended."""

    name = "pod-garbage-collector-controller"
    workers = 20

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._clock = context.clock
        self._nodes = context.informers.informer(NODES)
        self._pods = context.informers.informer(PODS)
        self._pods.add_index(pods.NODE_INDEX, pods.by_node, SPEC)
        self._pods.add_index(_FINISHED, pods.by_end, STATUS)
        self._missing_since: dict[str, float] = {}

    def wakes(self) -> Sequence[Source]:
        return (
            Watches(NODES, to=lambda node: (f"{_NODE}{objects.name(node)}",), when=deleted),
            Follows(PODS, self._garbage_among),
        )

    def _garbage_among(self, changes: Sequence[Change]) -> Iterator[str]:
        for old, pod in changes:
            if pod is None:
                continue
            node = (pod.get("spec") or {}).get("nodeName")
            if node:
                if (old is None or not (old.get("spec") or {}).get("nodeName")) and self._nodes.get(node) is None:
                    yield f"{_NODE}{node}"
            elif "deletionTimestamp" in pod["metadata"]:
                yield objects.key(pod)
        if len(self._pods.by_index(_FINISHED, "")) > TERMINATED_THRESHOLD:
            yield _FINISHED

    async def reconcile(self, key: str) -> Result | None:
        if key == _FINISHED:
            await self._drop_finished()
        elif key.startswith(_NODE):
            return await self._look_at_node(key.removeprefix(_NODE))
        else:
            pod = self._pods.get(key)
            if pod is not None and objects.deletion_timestamp(pod) and not objects.spec(pod).get("nodeName"):
                await self._delete(pod)
        return None

    async def _look_at_node(self, name: str) -> Result | None:
        if self._nodes.get(name) is not None or not self._pods.by_index(pods.NODE_INDEX, name):
            self._missing_since.pop(name, None)
            return None
        now = self._clock.monotonic()
        left = self._missing_since.setdefault(name, now) + QUARANTINE_SECONDS - now
        if left > 1e-6:
            return Result(requeue_after=left)
        del self._missing_since[name]
        try:
            await self._client.get(NODES, name)
        except NotFound:
            for pod in list(self._pods.by_index(pods.NODE_INDEX, name)):
                await self._delete(pod, "PodGC: node no longer exists")
        return None

    async def _drop_finished(self) -> None:
        finished = list(self._pods.by_index(_FINISHED, ""))
        finished.sort(key=lambda pod: str(objects.metadata(pod).get("creationTimestamp", "")))
        for pod in finished[: max(len(finished) - TERMINATED_THRESHOLD, 0)]:
            await self._delete(pod)

    async def _delete(self, pod: Object, disrupted: str = "") -> None:
        name, space, uid = objects.name(pod), objects.namespace(pod), objects.uid(pod)
        try:
            if disrupted and not pods.is_terminal(pod):
                patch = {"metadata": {"uid": uid}, "status": {"phase": "Failed", "conditions": [self._why(disrupted)]}}
                await self._client.patch(PODS, name, patch, space, patch_type=STRATEGIC_MERGE_PATCH, subresource="status")
            await self._client.delete(PODS, name, space, grace_period_seconds=0, uid=uid)
        except NotFound:
            return

    def _why(self, message: str) -> dict[str, str]:
        now = rfc3339(self._clock.now())
        what = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": message}
        return {**what, "lastTransitionTime": now}
