"""One component in this process, alone: acting while it holds its Lease, until a signal ends it.

What it needs of its controllers and plugins is imported when it runs.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import socket
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from controllers.runtime.events import EventRecorder
from controllers.runtime.leader_election import ElectionTimes, LeaderElector
from kctl.apimachinery.clock import Clock
from kctl.daemon.logs import KlogFormatter
from kctl.daemon.standalone.clients import Clients

_log = logging.getLogger(__name__)
Act = Callable[[asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Election:
    """The flags --leader-elect...; without an election the component acts at once."""

    name: str
    enabled: bool
    namespace: str
    times: ElectionTimes


class LeaseLost(Exception):
    """Another replica may act from now on: this process has to end."""


async def act_alone(act: Act, election: Election, clients: Clients, clock: Clock, randomness: random.Random, stop: asyncio.Event) -> None:
    """`act` until `stop`, as the only one of all replicas. Raises LeaseLost."""
    if not election.enabled:
        await act(stop)
        return
    identity = f"{socket.gethostname()}_{uuid.UUID(int=randomness.getrandbits(128), version=4)}"
    recorder = EventRecorder(clients.own, clock, identity)
    elector = LeaderElector(
        clients.own,
        clock,
        randomness,
        recorder,
        identity,
        namespace=election.namespace,
        name=election.name,
        times=election.times,
    )
    try:
        if not await elector.run(act, stop):
            raise LeaseLost
    finally:
        await recorder.sink.stop()


async def controller_manager(
    clients: Clients,
    clock: Clock,
    randomness: random.Random,
    controllers: Sequence[str],
    cluster_cidr: str,
    node_cidr_mask: int,
    root_ca: str,
    signing_key: bytes,
    stop: asyncio.Event,
) -> None:
    """kube-controller-manager. Raises ValueError for an unknown controller."""
    from controllers.kube_controller_manager.main import KubeControllerManager, Options

    options = Options(cluster_cidr or Options().cluster_cidr, node_cidr_mask, root_ca, signing_key)
    async with clients.informers() as informers:
        manager = KubeControllerManager(clients.client_for, informers, clock, randomness, controllers, options=options)
        await manager.run(partial(_log.info, "kube-controller-manager acts"), stop)


async def scheduler(clients: Clients, clock: Clock, randomness: random.Random, stop: asyncio.Event) -> None:
    """kube-scheduler."""
    from controllers.kube_scheduler.main import KubeScheduler

    async with clients.informers() as informers:
        await KubeScheduler(clients.own, informers, clock, randomness).run(partial(_log.info, "kube-scheduler acts"), stop)


async def until_signalled(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """`work` gets the event that SIGINT and SIGTERM set; a second signal ends the process at once."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end(number: signal.Signals) -> None:
        if stop.is_set():
            sys.exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    await work(stop)


def log_to_stderr(*, verbose: bool) -> None:
    """In klog's format, as the real programs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KlogFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
