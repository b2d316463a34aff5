"""kctl scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.cli.standalone.component import Component

if TYPE_CHECKING:
    import asyncio
    import random

    from kctl.apimachinery.clock import Clock
    from kctl.daemon.standalone.clients import Clients


class Scheduler(Component):
    """Run kube-scheduler in this process, for the cluster that the kubeconfig names.

    Several may run for one cluster: one acts, and another one follows when it is gone. `kctl run-cluster
    --components='*,-kube-scheduler'` starts a cluster without one, and writes a kubeconfig for it. What `kctl why` and `kctl schedule` tell
    they ask the scheduler inside the API server's process, so they tell nothing of this one.
    """

    name = "scheduler"
    component = "kube-scheduler"
    examples = """
  # The scheduler of a cluster that was started without one
  kctl run-cluster --detach --components='*,-kube-scheduler'
  kctl scheduler --kubeconfig=$HOME/.local/share/kctl/kctl/kube-scheduler.kubeconfig
"""

    async def act(self, clients: Clients, clock: Clock, randomness: random.Random, stop: asyncio.Event) -> None:
        from kctl.daemon.standalone.process import scheduler

        await scheduler(clients, clock, randomness, stop)
