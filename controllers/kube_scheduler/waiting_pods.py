"""Pods that have a node and wait for a Permit plugin's word, and what plugins from outside are given to work with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from controllers.kube_scheduler.framework import Status, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo
from kctl.apimachinery import clock as clocks
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.times import go_duration
from kctl.client.client import Client

if TYPE_CHECKING:
    from controllers.kube_scheduler.cache import Cache

LONGEST_WAIT_SECONDS = 900.0


class WaitingPod:
    """`pending`: the plugins that have not allowed it yet, with the seconds each gives it."""

    def __init__(self, pods: WaitingPods, pod: PodInfo, node: str, pending: dict[str, float]) -> None:
        self._pods = pods
        self.pod = pod
        self.node = node
        self.pending = pending
        self._settled = asyncio.Event()
        self._refusal: Status | None = None

    def allow(self, plugin: str) -> None:
        """When all have, it is bound."""
        self.pending.pop(plugin, None)
        if not self.pending:
            self._settled.set()

    def reject(self, plugin: str, message: str) -> None:
        """It gives its node back, and is tried again when something helps."""
        if not self._settled.is_set():
            self._refusal = unschedulable(plugin, message)
            self._settled.set()

    async def settled(self, clock: Clock) -> Status | None:
        """None when it may be bound."""
        if self._settled.is_set():
            self._pods.remove(self.pod.uid)
            return self._refusal
        plugin = min(self.pending, key=lambda name: self.pending[name])
        seconds = min(self.pending[plugin], LONGEST_WAIT_SECONDS)
        try:
            async with clocks.timeout(clock, seconds):
                await self._settled.wait()
        except TimeoutError:
            return unschedulable(plugin, f"rejected due to timeout after waiting {go_duration(seconds)} at plugin {plugin}")
        finally:
            self._pods.remove(self.pod.uid)
        return self._refusal


class WaitingPods:
    def __init__(self) -> None:
        self._pods: dict[str, WaitingPod] = {}

    def __iter__(self) -> Iterator[WaitingPod]:
        return iter(list(self._pods.values()))

    def __len__(self) -> int:
        return len(self._pods)

    def get(self, uid: str) -> WaitingPod | None:
        return self._pods.get(uid)

    def add(self, pod: PodInfo, node: str, pending: dict[str, float]) -> WaitingPod:
        waiting = self._pods[pod.uid] = WaitingPod(self, pod, node, pending)
        return waiting

    def remove(self, uid: str) -> None:
        self._pods.pop(uid, None)

    def gone(self, uid: str) -> None:
        """The pod was deleted."""
        waiting = self._pods.get(uid)
        if waiting is not None:
            waiting.reject("", "removed")


class Handle:
    """For plugins from outside: the cluster as it is known (`cache`: nodes and the pods on them), a client with the scheduler's rights,
    time and randomness, and the pods that wait for a Permit plugin."""

    def __init__(self, cache: Cache, client: Client, clock: Clock, randomness: random.Random, waiting_pods: WaitingPods) -> None:
        self.cache = cache
        self.client = client
        self.clock = clock
        self.randomness = randomness
        self.waiting_pods = waiting_pods
        self.activate: Callable[..., None] = lambda *keys: None
        """Pods (namespace/name) that PreEnqueue held back, or that were refused, are looked at again."""
