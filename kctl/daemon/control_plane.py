"""A control plane in this process: the only place where store, API server and components are put together.

The daemon, a command that runs without one, the integration tests and whoever embeds a cluster in a Python program all build this
and differ in its arguments alone:

    async with ControlPlane(MemoryStore(), RealClock(), nodes=simulated_nodes(ClusterConfig("test"))) as plane:
        await plane.client().create(PODS, pod)

It touches nothing outside itself: no files but the store's, no port, no signal, no setting of the interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from kctl.apimachinery import user
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.daemon.component import ComponentContext, ComponentMaker, Seed
from kctl.daemon.components import WHOLE_CLUSTER
from kctl.daemon.not_acted_on import NOT_ACTED_ON
from kctl.daemon.supervisor import ComponentState, Supervisor
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer

if TYPE_CHECKING:
    from controllers.kube_scheduler.config.load import SchedulerConfiguration
    from controllers.kubelet.node_config import NodeConfig
    from store.etcd import Etcd

WITHOUT_AUTHORITY = b"# This control plane serves no TLS port, so there is no certificate authority to trust.\n"
"""What kube-root-ca.crt says then: pods mount it and wait for it."""
_WITHOUT_A_PORT = ApiServerConfig(cluster_ca=WITHOUT_AUTHORITY, not_acted_on=NOT_ACTED_ON)
_C = TypeVar("_C")


class ControlPlane:
    """`components` in start order, each made from the context they share. With the same `seed` and a clock that is simulated, the
    same requests give the same writes. `scheduler`: kube-scheduler's profiles (config.load reads them from a file). Methods
    raise supervisor.ComponentCrashed."""

    def __init__(
        self,
        store: Etcd,
        clock: Clock,
        seed: Seed = None,
        nodes: Sequence[NodeConfig] = (),
        components: Sequence[ComponentMaker] = WHOLE_CLUSTER,
        *,
        config: ApiServerConfig | None = None,
        scheduler: SchedulerConfiguration | None = None,
    ) -> None:
        self.clock = clock
        self._context = ComponentContext(store, clock, seed, nodes, config or _WITHOUT_A_PORT, scheduler)
        self.components = [make(self._context) for make in components]
        self._supervisor = Supervisor(self.components, clock)

    @property
    def server(self) -> ApiServer:
        return self._context.api_server

    @property
    def states(self) -> dict[str, ComponentState]:
        """By the components' names."""
        return self._supervisor.states

    def component(self, kind: type[_C]) -> _C:
        """The component of that class. Raises KeyError."""
        for component in self.components:
            if isinstance(component, kind):
                return component
        raise KeyError(kind.__name__)

    def client(self, who: User = user.ADMIN) -> Client:
        """For what people write: checked as what comes over HTTPS."""
        return Client(self.server.transport(who))

    async def start(self, on_ready: Callable[[str], None] = lambda name: None) -> None:
        """Returns when every component is ready."""
        await self._supervisor.start(on_ready)

    async def wait(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; raises when a component ends before that."""
        await self._supervisor.wait(stop)

    async def stop(self) -> None:
        """Stop all components and close the store. Idempotent."""
        await self._supervisor.stop()

    async def __aenter__(self) -> ControlPlane:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
