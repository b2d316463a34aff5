"""What simulated containers use: CPU and memory by the settings `cpu-usage`, `memory-usage` and `cpu-load`, else a share of their
requests.

Usage is computed when somebody asks, from the pod as it is; it is looked at every 15 seconds, as a metrics server does, and between
two looks it stands still."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from controllers.kubelet.behaviour import BehaviourError, parse_setting, settings_of
from controllers.kubelet.usage_course import Amount, Course
from controllers.runtime import pods as pod_facts
from controllers.runtime.informer import Informer
from kctl.apimachinery import objects, quantity, times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.client.kubelet import ContainerUsage, NodeUsage, PodUsage

if TYPE_CHECKING:
    from controllers.kubelet.kubelet_metrics import Counters

WINDOW_SECONDS = 15
SETTINGS = ("cpu-usage", "memory-usage", "cpu-load")
_IDLE_CPU, _IDLE_MEMORY = Fraction(5, 1000), Fraction(20 * 1024**2)
_DEFAULT_SHARE = {"cpu": Fraction(20, 100), "memory": Fraction(50, 100)}


def usage_of(pod: Object, defaults: Mapping[str, str], now: datetime, sharers: Callable[[Object], int]) -> PodUsage | None:
    """None while no container of the pod runs. `defaults`: settings of its node; `sharers`: how many running pods have the pod's
    controller, this one among them."""
    moment = now - timedelta(seconds=now.timestamp() % WINDOW_SECONDS)
    specs = {each["name"]: each for field in ("containers", "initContainers") for each in objects.spec(pod).get(field) or ()}
    found = []
    for field in ("containerStatuses", "initContainerStatuses"):
        for status in objects.status(pod).get(field) or ():
            running = (status.get("state") or {}).get("running")
            if running is not None and status["name"] in specs:
                age = (now - times.parse(running["startedAt"])).total_seconds() if running.get("startedAt") else 0.0
                found.append(_container(pod, specs[status["name"]], defaults, age, moment, sharers))
    return PodUsage(pod, moment, WINDOW_SECONDS, tuple(found)) if found else None


def _container(
    pod: Object, spec: Object, defaults: Mapping[str, str], age: float, moment: datetime, sharers: Callable[[Object], int]
) -> ContainerUsage:
    settings: dict[str, Any] = {}
    for name, text in ({**defaults, **settings_of(objects.annotations(pod), spec["name"])}).items():
        if name in SETTINGS:
            try:
                settings[name] = parse_setting(name, text)
            except BehaviourError:
                continue  # the pod says so already
    draw = zlib.crc32(f"{objects.uid(pod)}/{spec['name']}/{moment.timestamp()}".encode()) / 2**32
    requests = (spec.get("resources") or {}).get("requests") or {}
    if "cpu-load" in settings:
        cpu = _drawn(settings["cpu-load"].at(age), Fraction(0), draw) / max(sharers(pod), 1)
    else:
        cpu = _used("cpu", settings.get("cpu-usage"), requests, age, draw, _IDLE_CPU)
    memory = _used("memory", settings.get("memory-usage"), requests, age, draw, _IDLE_MEMORY)
    return ContainerUsage(str(spec["name"]), int(cpu * 10**9), int(memory))


def _used(resource: str, course: Course | None, requests: Mapping[str, Any], age: float, draw: float, idle: Fraction) -> Fraction:
    request = quantity.parse(requests[resource]) if resource in requests else None
    if course is None:
        return idle if request is None else request * _DEFAULT_SHARE[resource]
    return _drawn(course.at(age), idle if request is None else request, draw)


def _drawn(amount: Amount, request: Fraction, draw: float) -> Fraction:
    value = amount.low + (amount.high - amount.low) * Fraction(draw).limit_denominator(10**6)
    return value * request if amount.of_request else value


_NODE_CPU, _NODE_MEMORY = 100 * 10**6, 256 * 1024**2
"""What a node uses beside its pods."""


def _nothing(pod: Object) -> PodUsage | None:
    return None


class UsageMeter:
    """Measures from the kubelets' cache of pods. `measured` tells of those that are processes; None for all others."""

    def __init__(self, pods: Informer, clock: Clock, measured: Callable[[Object], PodUsage | None] | None = None) -> None:
        self._pods = pods
        self._measured = measured or _nothing
        self._clock = clock
        self._counters: dict[str, Counters] = {}
        pods.add_index(pod_facts.CONTROLLER_INDEX, pod_facts.by_controller)
        pods.add_index(pod_facts.NODE_INDEX, pod_facts.by_node)

    def pods_of(self, node: str) -> Sequence[Object]:
        return list(self._pods.by_index(pod_facts.NODE_INDEX, node))

    def usage(self, pod: Object, defaults: Mapping[str, str]) -> PodUsage | None:
        return self._measured(pod) or usage_of(pod, defaults, self._clock.now(), self._sharers)

    def counters(self, node: str) -> Counters:
        from controllers.kubelet.kubelet_metrics import Counters

        return self._counters.setdefault(node, Counters(self._clock.now()))

    def _sharers(self, pod: Object) -> int:
        owners = pod_facts.by_controller(pod)
        if not owners:
            return 1
        return sum(
            1 for each in self._pods.by_index(pod_facts.CONTROLLER_INDEX, owners[0]) if objects.status(each).get("phase") == "Running"
        )

    def node_usage(self, node: str, defaults: Mapping[str, str]) -> NodeUsage:
        now = self._clock.now()
        cpu, memory = _NODE_CPU, _NODE_MEMORY
        for pod in self._pods.by_index(pod_facts.NODE_INDEX, node):
            found = self._measured(pod) or usage_of(pod, defaults, now, self._sharers)
            for container in found.containers if found is not None else ():
                cpu, memory = cpu + container.cpu_nanocores, memory + container.memory_bytes
        return NodeUsage(now - timedelta(seconds=now.timestamp() % WINDOW_SECONDS), WINDOW_SECONDS, cpu, memory)
