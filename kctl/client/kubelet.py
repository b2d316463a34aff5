"""How kube-apiserver reaches a kubelet for pods/log (later exec, attach, port-forward): the seam both sides know.

In a cluster of simulated nodes the fleet implements it in the same process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from kctl.apimachinery.objects import Object


class ContainerUsage(NamedTuple):
    name: str
    cpu_nanocores: int
    memory_bytes: int


class PodUsage(NamedTuple):
    """Of one pod's running containers, at `timestamp`, measured over so many seconds."""

    pod: Object
    timestamp: datetime
    window_seconds: int
    containers: tuple[ContainerUsage, ...]


class NodeUsage(NamedTuple):
    timestamp: datetime
    window_seconds: int
    cpu_nanocores: int
    memory_bytes: int


class KubeletConnector(Protocol):
    async def logs(self, node: str, namespace: str, pod: str, container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Log chunks. `options` are PodLogOptions as query parameters: follow, previous, tailLines, sinceSeconds, sinceTime,
        timestamps, limitBytes. Raises kctl.apimachinery.status.ApiError (BadRequest for a container that has not started:
        `container "c" in pod "p" is waiting to start: ContainerCreating`)."""
        ...


class UsageSource(Protocol):
    """Who measures what pods and nodes use: what a metrics server asks of kubelets."""

    def usage(self, pod: Object) -> PodUsage | None:
        """None where no container of it runs, or its node is none of these kubelets'."""
        ...

    def node_usage(self, node: str) -> NodeUsage | None:
        """None where the node is not here or does not answer."""
        ...
