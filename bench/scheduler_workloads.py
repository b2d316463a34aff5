"""The workloads of `python -m bench scheduler`: what upstream's scheduler_perf runs, with as many measured pods as are asked for.

Each says which nodes there are, which pods are there before (placed by the scheduler too, or waiting for ever), and which are
measured. `Preemption` measures one pod for each node at most, and `PodAntiAffinity` has pods of several colours, for more pods of one
colour than there are nodes would not all find one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Template = Callable[[int], Object]

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
_REQUESTS = {"cpu": "100m", "memory": "500Mi"}
_COLOURS = 4


def node(number: int, zones: int = 1) -> Object:
    name = f"node-{number:05}"
    size = {"cpu": "4", "memory": "32Gi", "pods": "110"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
    return {
        "metadata": {"name": name, "labels": {HOST: name, ZONE: f"zone{number % zones + 1}"}},
        "status": {"capacity": size, "allocatable": size, "conditions": [{**ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    }


def pod(labels: Object | None = None, requests: Object | None = None, **spec: Any) -> Object:
    container = {
        "name": "pause",
        "image": "registry.k8s.io/pause:3.10",
        "ports": [{"containerPort": 80}],
        "resources": {"requests": requests or _REQUESTS, "limits": requests or _REQUESTS},
    }
    return {"metadata": {"labels": labels or {}}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec}}


def _basic(number: int) -> Object:
    return pod()


def _affinity(kind: str, labels: Object, key: str, *, preferred: bool) -> Object:
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": key}
    if preferred:
        return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _near(number: int) -> Object:
    labels = {"color": "blue"}
    return pod(labels, affinity=_affinity("podAffinity", labels, ZONE, preferred=False))


def _apart(number: int) -> Object:
    labels = {"color": f"green-{number % _COLOURS}"}
    return pod(labels, affinity=_affinity("podAntiAffinity", labels, HOST, preferred=False))


def _rather_near(number: int) -> Object:
    labels = {"color": "red"}
    return pod(labels, affinity=_affinity("podAffinity", labels, HOST, preferred=True))


def _rather_apart(number: int) -> Object:
    labels = {"color": "yellow"}
    return pod(labels, affinity=_affinity("podAntiAffinity", labels, HOST, preferred=True))


def _in_a_zone(number: int) -> Object:
    expression = {"key": ZONE, "operator": "In", "values": ["zone1", "zone2"]}
    term = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return pod(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}})


def _spread(when: str) -> Template:
    labels = {"color": "blue"}
    constraint = {"maxSkew": 5, "topologyKey": ZONE, "whenUnsatisfiable": when, "labelSelector": {"matchLabels": labels}}
    return lambda number: pod(labels, topologySpreadConstraints=[constraint])


def _low(number: int) -> Object:
    return pod(requests={"cpu": "900m", "memory": "500Mi"})


def _high(number: int) -> Object:
    return pod(requests={"cpu": "3000m", "memory": "500Mi"}, priorityClassName="bench-high")


def _too_large(number: int) -> Object:
    return pod(requests={"cpu": "9", "memory": "500Mi"})


_MIXED: tuple[Template, ...] = (_basic, _near, _apart, _rather_near, _rather_apart)


def _mixed(number: int) -> Object:
    return _MIXED[number % len(_MIXED)](number // len(_MIXED))


@dataclass(frozen=True, slots=True)
class Workload:
    """`before(nodes)`: how many pods there are before, made by `first`; `waiting`: how many of those that no node can take, beside them;
    `at_most(nodes)`: how many can be measured. `churn`: nodes, pods and Services come and go meanwhile. `threshold` is what upstream must
    pass at 5,000 nodes, in pods a second."""

    name: str
    measured: Template
    threshold: int
    first: Template = _basic
    before: Callable[[int], int] = lambda nodes: nodes // 5
    waiting: int = 0
    zones: int = 1
    at_most: Callable[[int], int] = lambda nodes: 30 * nodes
    churn: bool = False


WORKLOADS = (
    Workload("Basic", _basic, 270),
    Workload("PodAffinity", _near, 35, first=_near, before=lambda nodes: nodes),
    Workload("PodAntiAffinity", _apart, 60, first=_apart, at_most=lambda nodes: (_COLOURS - 1) * nodes),
    Workload("PreferredPodAffinity", _rather_near, 90, first=_rather_near, before=lambda nodes: nodes),
    Workload("PreferredPodAntiAffinity", _rather_apart, 90, first=_rather_apart, before=lambda nodes: nodes),
    Workload("NodeAffinity", _in_a_zone, 220, zones=3),
    Workload("TopologySpreading", _spread("DoNotSchedule"), 85, before=lambda nodes: nodes, zones=3),
    Workload("PreferredTopologySpreading", _spread("ScheduleAnyway"), 125, before=lambda nodes: nodes, zones=3),
    Workload("Preemption", _high, 160, first=_low, before=lambda nodes: 4 * nodes, at_most=lambda nodes: nodes),
    Workload("Unschedulable", _basic, 140, waiting=200),
    Workload("MixedSchedulingBasePod", _basic, 140, first=_mixed, before=lambda nodes: 2 * nodes),
    Workload("MixedChurn", _basic, 265, churn=True),
)
