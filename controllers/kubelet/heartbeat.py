"""Heartbeats of every node of the process: a Lease every 10 s, the node's status every 5 minutes.

Nodes are spread over the seconds of an interval in groups; one timer wakes each group and its writes go out together, so
that the store commits them together and few nodes cost one wake-up in ten seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from controllers.kubelet.kubelet import Kubelet
from kctl.apimachinery import objects, times
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import LEASES
from kctl.apimachinery.status import AlreadyExists, ApiError, Conflict, NotFound
from kctl.client.errors import ConnectionFailed

_log = logging.getLogger(__name__)
NAMESPACE = "kube-node-lease"
RENEW_SECONDS = 10.0
LEASE_DURATION_SECONDS = 40
STATUS_EVERY = 30
"""In renewals: five minutes."""
_GROUP_OF = 25
_GROUPS = 10


class Heartbeats:
    """`tick` runs with every group that is due, for what else happens at that pace."""

    def __init__(self, clock: Clock, tick: Callable[[], None]) -> None:
        self._clock = clock
        self._tick = tick
        self._groups: list[dict[str, Kubelet]] = [{} for _ in range(_GROUPS)]
        self._leases: dict[str, Object] = {}
        self._renewals: dict[str, int] = {}
        self._timers: dict[int, Timer] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._added = 0

    async def start(self, kubelets: Sequence[Kubelet]) -> None:
        """The first lease of each node, at once; then the rhythm."""
        for kubelet in kubelets:
            self._join(kubelet)
        await asyncio.gather(*(self._renew(kubelet) for kubelet in kubelets if not kubelet.paused))

    def add(self, kubelet: Kubelet) -> None:
        self._join(kubelet)
        self._spawn([kubelet])

    def remove(self, name: str) -> None:
        for group in self._groups:
            group.pop(name, None)
        self._leases.pop(name, None)

    async def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _join(self, kubelet: Kubelet) -> None:
        """Few nodes share one group; more fill the next ones in turn."""
        index = (self._added // _GROUP_OF) % _GROUPS
        self._added += 1
        self._groups[index][kubelet.name] = kubelet
        self._renewals[kubelet.name] = 0
        if index not in self._timers:
            self._arm(index, RENEW_SECONDS + index * RENEW_SECONDS / _GROUPS)

    def _arm(self, index: int, seconds: float) -> None:
        self._timers[index] = self._clock.call_later(seconds, lambda: self._beat(index))

    def _beat(self, index: int) -> None:
        group = self._groups[index]
        if not group:
            del self._timers[index]
            return
        self._arm(index, RENEW_SECONDS)
        self._spawn([kubelet for kubelet in group.values() if not kubelet.paused])
        if index == 0:
            self._tick()

    def _spawn(self, kubelets: list[Kubelet]) -> None:
        task = asyncio.get_running_loop().create_task(self._renew_all(kubelets))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _renew_all(self, kubelets: list[Kubelet]) -> None:
        await asyncio.gather(*(self._beat_once(kubelet) for kubelet in kubelets))

    async def _beat_once(self, kubelet: Kubelet) -> None:
        await self._renew(kubelet)
        self._renewals[kubelet.name] = count = self._renewals.get(kubelet.name, 0) + 1
        if count % STATUS_EVERY == 0 or kubelet.has_to_report:
            try:
                await kubelet.report_status()
            except (ApiError, ConnectionFailed) as error:
                _log.warning("status of node %s not written: %s", kubelet.name, error)

    async def _renew(self, kubelet: Kubelet) -> None:
        lease = self._leases.get(kubelet.name)
        now = times.rfc3339_micro(self._clock.now())
        try:
            if lease is None:
                written = await kubelet.client.create(LEASES, _lease(kubelet, now))
            else:
                written = await kubelet.client.update(LEASES, {**lease, "spec": {**lease["spec"], "renewTime": now}})
            self._leases[kubelet.name] = written
        except (AlreadyExists, Conflict):
            await self._take_over(kubelet, now)
        except NotFound:
            self._leases.pop(kubelet.name, None)
        except (ApiError, ConnectionFailed) as error:
            _log.warning("lease of node %s not renewed: %s", kubelet.name, error)

    async def _take_over(self, kubelet: Kubelet, now: str) -> None:
        """The lease of an earlier run of this node."""
        try:
            present = await kubelet.client.get(LEASES, kubelet.name, NAMESPACE)
            fresh = {**present, "spec": _lease(kubelet, now)["spec"]}
            self._leases[kubelet.name] = await kubelet.client.update(LEASES, fresh)
        except (ApiError, ConnectionFailed) as error:
            self._leases.pop(kubelet.name, None)
            _log.warning("lease of node %s not renewed: %s", kubelet.name, error)


def _lease(kubelet: Kubelet, now: str) -> Object:
    owner = {"apiVersion": "v1", "kind": "Node", "name": kubelet.name, "uid": objects.uid(kubelet.node)}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": kubelet.name, "namespace": NAMESPACE, "ownerReferences": [owner]},
        "spec": {"holderIdentity": kubelet.name, "leaseDurationSeconds": LEASE_DURATION_SECONDS, "renewTime": now},
    }
