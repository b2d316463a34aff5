"""Which refused pods a change in the cluster can help: the table made of what the profile's plugins declare in `wakes`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from controllers.kube_scheduler.cache import NodeInfo
from controllers.kube_scheduler.framework import ClusterEvent, Refusing, Wake
from controllers.kube_scheduler.pod_info import PodInfo, PodShape, QueuedPod
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object


class ClusterChange(NamedTuple):
    event: ClusterEvent
    node: NodeInfo | None = None


class WakeTable:
    def __init__(self, plugins: Iterable[Refusing]) -> None:
        self._wakes: dict[str, tuple[Wake, ...]] = {plugin.name: plugin.wakes for plugin in plugins}

    def helped_by(self, changes: Sequence[ClusterChange]) -> Callable[[QueuedPod], bool]:
        """Pods of one shape refused by the same plugins are helped or not together, so each such group is asked about once."""
        known: dict[tuple[PodShape, frozenset[str]], bool] = {}

        def helps(queued: QueuedPod) -> bool:
            group = queued.info.shape, queued.unschedulable_plugins
            answer = known.get(group)
            if answer is None:
                answer = known[group] = self._helps(queued, changes)
            return answer

        return helps

    def _helps(self, queued: QueuedPod, changes: Sequence[ClusterChange]) -> bool:
        """A pod that nobody refused (no nodes, an error) is helped by everything, so is one refused by somebody unknown."""
        plugins = queued.unschedulable_plugins
        return not plugins or any(self._cares(plugin, queued.info, changes) for plugin in plugins)

    def _cares(self, plugin: str, pod: PodInfo, changes: Sequence[ClusterChange]) -> bool:
        wakes = self._wakes.get(plugin)
        if wakes is None:
            return True
        return any(wake.on & event and wake.hint(pod, node) for wake in wakes for event, node in changes)


def node_change(old: Object | None, new: Object) -> ClusterEvent:
    """What of a node changed that could matter; empty for heartbeats."""
    if old is None:
        return ClusterEvent.NODE_ADD
    event = ClusterEvent(0)
    if objects.labels(old) != objects.labels(new):
        event |= ClusterEvent.NODE_LABEL
    old_spec, new_spec = objects.spec(old), objects.spec(new)
    if (old_spec.get("taints"), old_spec.get("unschedulable")) != (
        new_spec.get("taints"),
        new_spec.get("unschedulable"),
    ):
        event |= ClusterEvent.NODE_TAINT
    if objects.status(old).get("allocatable") != objects.status(new).get("allocatable"):
        event |= ClusterEvent.NODE_ALLOCATABLE
    return event
