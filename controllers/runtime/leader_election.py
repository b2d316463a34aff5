"""Leader election by a Lease (client-go's tools/leaderelection): of several replicas of a component one acts at a time.

The holder writes its name and the time into the Lease every `retry_period`. The others look at it as often, and take it over when it
has not changed for as long as it says of itself, by their own clocks: what the clocks of two machines show need not agree. A holder
that has not been able to write for `renew_deadline`, which is shorter, stops acting before anybody may follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from controllers.runtime.events import NORMAL, EventRecorder
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock, timeout
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import LEASES
from kctl.apimachinery.status import ApiError, NotFound
from kctl.apimachinery.times import rfc3339_micro
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed

_log = logging.getLogger(__name__)
JITTER_FACTOR = 1.2
"""Who waits for the Lease looks at it after 1 to 2.2 retry periods, so that not all try at once."""
_RELEASED_SECONDS = 1


@dataclass(frozen=True, slots=True)
class ElectionTimes:
    """Seconds, as the flags --leader-elect-lease-duration, -renew-deadline and -retry-period. Raises ValueError in client-go's words."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if self.lease_duration <= self.renew_deadline:
            raise ValueError("leaseDuration must be greater than renewDeadline")
        if self.renew_deadline <= JITTER_FACTOR * self.retry_period:
            raise ValueError("renewDeadline must be greater than retryPeriod*JitterFactor")
        if self.lease_duration < 1:
            raise ValueError("leaseDuration must be greater than zero")
        if self.renew_deadline <= 0:
            raise ValueError("renewDeadline must be greater than zero")
        if self.retry_period <= 0:
            raise ValueError("retryPeriod must be greater than zero")


class LeaderElector:
    """`identity` is what the Lease says of its holder, another one for each replica."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        randomness: random.Random,
        recorder: EventRecorder,
        identity: str,
        *,
        namespace: str = "kube-system",
        name: str,
        times: ElectionTimes | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._randomness = randomness
        self._recorder = recorder
        self.identity = identity
        self._namespace, self._name = namespace, name
        self._times = times or ElectionTimes()
        self._lease: Object | None = None
        self._seen_at = 0.0
        """When the Lease was last seen to have changed, by this clock."""
        self._told = ""

    @property
    def leads(self) -> bool:
        return bool(self.leader) and self.leader == self.identity

    @property
    def leader(self) -> str:
        """Who is known to hold the Lease, '' where nobody does."""
        return str(_spec(self._lease).get("holderIdentity") or "")

    async def run(self, act: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> bool:
        """Wait for the Lease, then `act` for as long as it is held; `act` is to return soon after the event it is given is set. True when
        it was over because of `stop` or because `act` returned, and the Lease is let go; False when the Lease was lost."""
        if not await self._acquire(stop):
            return True
        self._say("became leader")
        over = asyncio.Event()
        acting = asyncio.ensure_future(act(over))
        renewing = asyncio.create_task(self._renew(), name=f"lease {self._namespace}/{self._name}")
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({acting, renewing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            lost = renewing.done() and not stop.is_set() and not acting.done()
            if lost:
                _log.error("failed to renew lease %s/%s: timed out waiting for the condition", self._namespace, self._name)
            over.set()
            await acting
        finally:
            for task in (acting, renewing, stopping):
                task.cancel()
            await asyncio.gather(acting, renewing, stopping, return_exceptions=True)
        self._say("stopped leading")
        if not lost:
            await self._release()
        return not lost

    async def _acquire(self, stop: asyncio.Event) -> bool:
        """False where `stop` came first."""
        _log.info("attempting to acquire leader lease %s/%s...", self._namespace, self._name)
        while not stop.is_set():
            if await self._in_time(self._times.renew_deadline):
                _log.info("successfully acquired lease %s/%s", self._namespace, self._name)
                return True
            pause = self._times.retry_period * (1 + self._randomness.random() * JITTER_FACTOR)
            await _first(stop.wait(), self._clock.sleep(pause))
        return False

    async def _renew(self) -> None:
        """Returns when the Lease could not be renewed in time."""
        while True:
            await self._clock.sleep(self._times.retry_period)
            if not await self._renewed():
                return

    async def _renewed(self) -> bool:
        """Tried again and again until the deadline."""
        last = self._clock.monotonic() + self._times.renew_deadline
        while (left := last - self._clock.monotonic()) > 0:
            if await self._in_time(left):
                return True
            if self.leader != self.identity:  # it is another's already
                return False
            await self._clock.sleep(min(self._times.retry_period, max(last - self._clock.monotonic(), 0)))
        return False

    async def _in_time(self, seconds: float) -> bool:
        try:
            async with timeout(self._clock, seconds):
                return await self._acquire_or_renew()
        except (TimeoutError, ApiError, ConnectionFailed) as error:
            _log.warning("error with lease %s/%s: %s", self._namespace, self._name, error or "timed out")
            return False

    async def _acquire_or_renew(self) -> bool:
        """Raises ApiError and ConnectionFailed."""
        if self.leads and self._lease is not None and self._is_valid():
            try:
                self._observe(await self._write(self._lease))
                return True
            except (ApiError, ConnectionFailed):
                pass  # it has changed: see how
        try:
            present = await self._client.get(LEASES, self._name, self._namespace)
        except NotFound:
            self._observe(await self._client.create(LEASES, self._first_lease(), self._namespace))
            return True
        if objects.resource_version(present) != (objects.resource_version(self._lease) if self._lease else ""):
            self._observe(present)
        if self.leader and not self.leads and self._is_valid():
            _log.debug("lease %s/%s is held by %s and has not yet expired", self._namespace, self._name, self.leader)
            return False
        self._observe(await self._write(present))
        return True

    def _is_valid(self) -> bool:
        duration = _spec(self._lease).get("leaseDurationSeconds") or 0
        return self._seen_at + float(duration) > self._clock.monotonic()

    def _observe(self, lease: Object) -> None:
        self._lease, self._seen_at = lease, self._clock.monotonic()
        if self.leader != self._told:
            self._told = self.leader
            if self._told and self._told != self.identity:
                _log.info("new leader elected: %s", self._told)

    async def _write(self, present: Object) -> Object:
        """With its resourceVersion: who was faster wins."""
        spec, now = _spec(present), rfc3339_micro(self._clock.now())
        mine = spec.get("holderIdentity") == self.identity
        changed = {
            **spec,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self._times.lease_duration),
            "acquireTime": spec.get("acquireTime", now) if mine else now,
            "renewTime": now,
            "leaseTransitions": (spec.get("leaseTransitions") or 0) + (0 if mine else 1),
        }
        return await self._client.update(LEASES, {**present, "spec": changed})

    def _first_lease(self) -> Object:
        now = rfc3339_micro(self._clock.now())
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": int(self._times.lease_duration),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }

    async def _release(self) -> None:
        """So that the next one need not wait."""
        if not self.leads or self._lease is None:
            return
        now = rfc3339_micro(self._clock.now())
        kept = {field: value for field, value in _spec(self._lease).items() if field != "holderIdentity"}
        spec = {**kept, "leaseDurationSeconds": _RELEASED_SECONDS, "renewTime": now, "acquireTime": now}
        try:
            async with timeout(self._clock, self._times.retry_period):
                self._lease = await self._client.update(LEASES, {**self._lease, "spec": spec})
        except (TimeoutError, ApiError, ConnectionFailed) as error:
            _log.warning("failed to release lease %s/%s: %s", self._namespace, self._name, error)

    def _say(self, what: str) -> None:
        if self._lease is not None:
            self._recorder.event(self._lease, NORMAL, "LeaderElection", f"{self.identity} {what}")


def _spec(lease: Object | None) -> dict[str, Any]:
    return (lease or {}).get("spec") or {}


async def _first(*waits: Awaitable[Any]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
