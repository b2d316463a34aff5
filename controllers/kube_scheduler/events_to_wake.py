"""Which change in the cluster can help a pod that a plugin refused (EventsToRegister): only those are tried again."""

from __future__ import annotations

from enum import Flag, auto

from controllers.kube_scheduler.pod_info import QueuedPod
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object


class ClusterEvent(Flag):
    NODE_ADD = auto()
    NODE_ALLOCATABLE = auto()
    NODE_LABEL = auto()
    NODE_TAINT = auto()
    ASSIGNED_POD_DELETE = auto()


_HELPS = {
    "NodeResourcesFit": ClusterEvent.NODE_ADD | ClusterEvent.NODE_ALLOCATABLE | ClusterEvent.ASSIGNED_POD_DELETE,
    "NodePorts": ClusterEvent.NODE_ADD | ClusterEvent.ASSIGNED_POD_DELETE,
    "NodeAffinity": ClusterEvent.NODE_ADD | ClusterEvent.NODE_LABEL,
    "NodeName": ClusterEvent.NODE_ADD,
    "NodeUnschedulable": ClusterEvent.NODE_ADD | ClusterEvent.NODE_TAINT,
    "TaintToleration": ClusterEvent.NODE_ADD | ClusterEvent.NODE_TAINT,
    "DynamicResources": ClusterEvent(0),
}
_ANY = ~ClusterEvent(0)


def helps(event: ClusterEvent, queued: QueuedPod) -> bool:
    """Whether one of the plugins that refused the pod cares; a pod nobody refused (no nodes, an error) is helped by all."""
    plugins = queued.unschedulable_plugins
    return not plugins or any(event & _HELPS.get(plugin, _ANY) for plugin in plugins)


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
