"""node-lifecycle-controller: notices nodes that stopped reporting and taints nodes by their conditions.

How fast nodes may lose their pods depends on how many of their zone are in trouble (controllers/runtime/disruption_zones.py).

A heartbeat is a renewed Lease or a changed node status. Nodes are kept in the order of their last heartbeat, so one timer,
set for the oldest, watches over all of them however many there are.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from controllers.runtime import node_taints, pods
from controllers.runtime.disruption_zones import EvictionPace
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.indexer import SPEC
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import Follows, Source
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Timer
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import LEASES, NODES, PODS
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.times import rfc3339
from kctl.client.transport import STRATEGIC_MERGE_PATCH

GRACE_SECONDS = 40.0
STARTUP_GRACE_SECONDS = 60.0

_LEASE_NAMESPACE = "kube-node-lease"
_CONDITION_TYPES = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_NEVER = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
_STOPPED = ("NodeStatusUnknown", "Kubelet stopped posting node status.")


class NodeLifecycleController(LoopController):
    name = "node-lifecycle-controller"
    workers = 20

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder("node-controller")
        self._nodes = context.informers.informer(NODES)
        self._pods = context.informers.informer(PODS)
        self._leases = context.informers.informer(LEASES)
        self._pods.add_index(pods.NODE_INDEX, pods.by_node, SPEC)
        self._heard: OrderedDict[str, float] = OrderedDict()
        self._silent: set[str] = set()
        self._registered: dict[str, float] = {}
        self._timer: Timer | None = None
        self._pace = EvictionPace()

    def wakes(self) -> Sequence[Source]:
        """Both keep the times of heartbeats; silence itself wakes by the timer."""
        return (
            Follows(NODES, self._follow_nodes),
            Follows(LEASES, self._follow_leases),
        )

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await super().stop()

    # ---- heartbeats

    def _follow_nodes(self, changes: Sequence[Change]) -> Iterator[str]:
        zones_changed = False
        for old, new in changes:
            if new is None:
                self._removed(old or {})
                zones_changed |= self._pace.forget(objects.name(old or {}))
                continue
            zones_changed |= self._pace.observe(new)
            if old is None:
                name = objects.name(new)
                text = f"Node {name} event: Registered Node {name} in Controller"
                self._recorder.event(new, NORMAL, "RegisteredNode", text)
                self._registered[name] = self._clock.monotonic()
                self._hear(name)
                yield name
            else:
                if _conditions(old) != _conditions(new):
                    self._hear(objects.name(new))
                if node_taints.corrected(new, "") is not None:
                    yield objects.name(new)
        if zones_changed:
            yield from list(self._pace.not_ready())

    def _removed(self, node: Object) -> None:
        name = objects.name(node)
        self._heard.pop(name, None)
        self._registered.pop(name, None)
        text = f"Node {name} event: Removing Node {name} from Controller"
        self._recorder.event(node, NORMAL, "RemovingNode", text)

    def _follow_leases(self, changes: Sequence[Change]) -> Iterable[str]:
        for old, new in changes:
            if new is None or objects.namespace(new) != _LEASE_NAMESPACE:
                continue
            if old is None or objects.spec(old).get("renewTime") != objects.spec(new).get("renewTime"):
                name = objects.name(new)
                if name in self._heard:
                    self._hear(name)
        return ()

    def _hear(self, node: str) -> None:
        self._silent.discard(node)
        self._heard[node] = self._clock.monotonic()
        self._heard.move_to_end(node)
        if self._timer is None:
            self._timer = self._clock.call_later(GRACE_SECONDS, self._check_silence)

    def _check_silence(self) -> None:
        """Hands the nodes not heard of for the grace period to the loop; the rest wait in order."""
        self._timer = None
        latest = self._clock.monotonic() - GRACE_SECONDS + 1e-6
        while self._heard:
            node, heard = next(iter(self._heard.items()))
            if heard > latest:
                delay = heard - latest
                self._timer = self._clock.call_later(delay, self._check_silence)
                return
            self._heard[node] = self._clock.monotonic()
            self._heard.move_to_end(node)
            self._silent.add(node)
            self.loop.enqueue(node)

    # ---- one node

    async def reconcile(self, key: str) -> Result | None:
        node = self._nodes.get(key)
        if node is None:
            self._silent.discard(key)
            return None
        try:
            if key in self._silent:
                left = self._startup_grace_left(node)
                if left > 0:
                    return Result(requeue_after=left)
                node = await self._mark_unknown(node)
                self._silent.discard(key)
            return await self._correct_taints(node)
        except NotFound:
            pass  # removed meanwhile
        return None

    async def _correct_taints(self, node: Object) -> Result | None:
        """Those that keep new pods away at once, those that evict when it is the node's turn."""
        now = rfc3339(self._clock.now())
        taints = node_taints.corrected(node, now)
        wait = 0.0
        if self._pace.suspended or (taints is not None and node_taints.evicts_more(node, taints)):
            wait = self._pace.wait_seconds(objects.name(node), self._clock.monotonic())
        if wait:
            taints = node_taints.corrected(node, now, evict=False, keep=not self._pace.suspended)
        if taints is not None:
            await self._set_taints(node, taints)
        return Result(requeue_after=wait) if 0 < wait < math.inf else None

    def _startup_grace_left(self, node: Object) -> float:
        """A node that has never reported is given longer."""
        if objects.condition(node, "Ready") is not None:
            return 0.0
        since = self._registered.get(objects.name(node), 0.0)
        return max(since + STARTUP_GRACE_SECONDS - self._clock.monotonic(), 0.0)

    async def _set_taints(self, node: Object, taints: list[dict[str, Any]]) -> None:
        spec = {key: value for key, value in objects.spec(node).items() if key != "taints"}
        wanted = objects.replace(node, spec={**spec, "taints": taints} if taints else spec)
        self._nodes.observe([await self._client.update(NODES, wanted)])

    async def _mark_unknown(self, node: Object) -> Object:
        """The kubelet is silent: its conditions are no longer known, and its pods are not ready."""
        was_ready = objects.is_condition_true(node, "Ready")
        conditions = _unknown_conditions(node, rfc3339(self._clock.now()))
        if conditions == _conditions(node):
            return node
        node = await self._client.update_status(NODES, objects.with_status(node, conditions=conditions))
        self._nodes.observe([node])
        if was_ready:
            text = f"Node {objects.name(node)} status is now: NodeNotReady"
            self._recorder.event(node, NORMAL, "NodeNotReady", text)
            on_it = list(self._pods.by_index(pods.NODE_INDEX, objects.name(node)))
            await asyncio.gather(*(self._mark_pod_not_ready(pod) for pod in on_it))
        return node

    async def _mark_pod_not_ready(self, pod: Object) -> None:
        if not pods.is_ready(pod):
            return
        self._recorder.event(pod, WARNING, "NodeNotReady", "Node is not ready")
        condition = {"type": "Ready", "status": "False", "lastTransitionTime": rfc3339(self._clock.now())}
        patch = {"metadata": {"uid": objects.uid(pod)}, "status": {"conditions": [condition]}}
        try:
            written = await self._client.patch(
                PODS,
                objects.name(pod),
                patch,
                objects.namespace(pod),
                patch_type=STRATEGIC_MERGE_PATCH,
                subresource="status",
            )
        except NotFound:
            return
        self._pods.observe([written])


def _conditions(node: Object) -> list[dict[str, Any]]:
    return objects.status(node).get("conditions") or []


def _unknown_conditions(node: Object, now: str) -> list[dict[str, Any]]:
    conditions = _conditions(node)
    created = objects.metadata(node).get("creationTimestamp")
    for kind in _CONDITION_TYPES:
        present = objects.find_condition(conditions, kind)
        if present is None:
            present, (reason, message) = {"lastHeartbeatTime": created} if created else {}, _NEVER
        elif present["status"] != "Unknown":
            reason, message = _STOPPED
        else:
            continue
        changes = {"type": kind, "status": "Unknown", "lastTransitionTime": now, "reason": reason, "message": message}
        conditions = objects.with_condition(conditions, {**present, **changes})
    return conditions
