"""The simulated kubelets of a local cluster in a process of their own. Each node is a user of its own, with a certificate that is made from
the cluster's keys, which are on this machine."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.user import SIMULATED_NODES, SYSTEM_NODES, User
from kctl.client.client import Client
from kctl.client.kubeconfig import ResolvedConfig
from kctl.daemon.config import ClusterConfig
from kctl.daemon.nodes import simulated_nodes
from kctl.daemon.pki import Pki, client_certificate
from kctl.daemon.standalone.clients import Clients


class NodeClients:
    """Clients of the API server at `server`. Raises damage.DamagedFile for keys that cannot be read."""

    def __init__(self, server: str, pki: Pki, clock: Clock) -> None:
        self._server = server
        self._pki = pki
        self._clock = clock
        self._made: dict[str, Clients] = {}

    def of(self, who: User) -> Clients:
        made = self._made.get(who.name)
        if made is None:
            organization = SYSTEM_NODES if SYSTEM_NODES in who.groups else ""
            certificate, key = client_certificate(self._pki, who.name, self._clock.now(), organization)
            user = {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)}
            cluster = {"certificate-authority-data": _encoded(self._pki["ca.crt"].read_bytes())}
            made = self._made[who.name] = Clients(ResolvedConfig(self._server, cluster, user), self._clock, "kubelet")
        return made

    def client_for(self, who: User) -> Client:
        return Client(self.of(who).own.transport)

    async def close(self) -> None:
        await asyncio.gather(*(made.close() for made in self._made.values()))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def kubelets(
    server: str, pki: Pki, config: ClusterConfig, clock: Clock, randomness: random.Random, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """All nodes that the settings name, until `stop`."""
    from controllers.kubelet.fleet import KubeletFleet

    clients = NodeClients(server, pki, clock)
    try:
        async with clients.of(SIMULATED_NODES).informers() as informers:
            await KubeletFleet(clients.client_for, informers, clock, randomness, simulated_nodes(config)).run(ready, stop)
    finally:
        await clients.close()
