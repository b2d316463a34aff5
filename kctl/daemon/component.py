"""A component is a named part of the control plane that says when it is ready and stops when told; it is made from the
`ComponentContext` that all components of one control plane share.

The context holds what may differ from one control plane to the next (store, clock, seed, nodes) and what everybody needs to be a
client of its API server. Nothing here is a global: two control planes in one process have nothing in common.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.kube_apiserver.server import ApiServer

if TYPE_CHECKING:
    from controllers.kube_scheduler.config.load import SchedulerConfiguration
    from controllers.kubelet.node_config import NodeConfig
    from controllers.runtime.informer import InformerFactory
    from kctl.kube_apiserver.config import ApiServerConfig
    from store.etcd import Etcd

Seed = int | str | None
"""None: other randomness every time."""


class Component(Protocol):
    name: str
    """Kubernetes' own name: etcd, kube-apiserver, kube-scheduler, ..."""
    dependencies: tuple[str, ...]
    """Names of components that must be ready before this one starts."""

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Call `ready()` once when serving; return soon after `stop` is set. Any exception is a crash of the cluster."""
        ...


class ComponentContext:
    """What the components of one control plane share."""

    def __init__(
        self,
        store: Etcd,
        clock: Clock,
        seed: Seed,
        nodes: Sequence[NodeConfig],
        config: ApiServerConfig,
        scheduler: SchedulerConfiguration | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.nodes = nodes
        self.scheduler = scheduler
        self._seed = seed
        self.api_server = ApiServer(store, clock=clock, randomness=self.randomness("kube-apiserver"), config=config)

    def randomness(self, name: str) -> random.Random:
        """A stream of its own for each name, so that what one component draws never changes what another one gets."""
        return random.Random() if self._seed is None else random.Random(f"{self._seed}/{name}")

    def client_for(self, who: User) -> Client:
        """For a component: what it sends are canonical objects that nobody changes afterwards."""
        return Client(self.api_server.component_transport(who))

    @asynccontextmanager
    async def informers(self, who: User) -> AsyncIterator[InformerFactory]:
        """Caches that are filled by reading as `who`. The objects in them are the API server's own: each exists once, however many
        components have a cache of it."""
        from controllers.runtime.informer import InformerFactory

        factory = InformerFactory(self.client_for(who), self.clock)
        try:
            yield factory
        finally:
            await factory.stop()


ComponentMaker = Callable[[ComponentContext], Component]
