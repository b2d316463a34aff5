"""How kube-apiserver reaches a kubelet for pods/log, exec, attach, port-forward and what is proxied to it: the seam both sides know.

In a cluster of simulated nodes the fleet implements it in the same process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


class TerminalSize(NamedTuple):
    width: int
    height: int


class ByteStream(Protocol):
    """One connection to a port of a pod, seen from the pod."""

    async def read(self) -> bytes:
        """What came, some 64 KiB at most; b'' at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Waits while the other side does not read."""
        ...


class Terminal(ByteStream, Protocol):
    """The streams of a command: `read` is its standard input (at its end at once where none was asked for), `write` its standard output."""

    tty: bool
    has_input: bool

    async def write_error(self, data: bytes) -> None:
        """Standard error; where there is a terminal the same as `write`."""
        ...

    def size(self) -> TerminalSize | None:
        """The newest, None until one is known."""
        ...


class CannotRun(Exception):
    """What the container runtime says where a command cannot be started, or a port not be reached."""


Process = Callable[[Terminal], Awaitable[int]]
"""Runs a command to its end: its exit code. Raises CannotRun. Cancelled when its client is gone."""
Forward = Callable[[int, ByteStream], Awaitable[None]]
"""Serves one connection to that port of the pod to its end. Raises CannotRun."""


@dataclass(frozen=True, slots=True)
class ProxiedRequest:
    """`target` as on a request line; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class ProxiedAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]


class KubeletConnector(Protocol):
    """All raise kctl.apimachinery.status.ApiError where the kubelet cannot be reached or knows no such pod or container."""

    async def logs(self, node: str, namespace: str, pod: str, container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Log chunks. `options` are PodLogOptions as query parameters: follow, previous, tailLines, sinceSeconds, sinceTime,
        timestamps, limitBytes. Raises BadRequest for a container that has not started
        (`container "c" in pod "p" is waiting to start: ContainerCreating`)."""
        ...

    async def exec(self, node: str, namespace: str, pod: str, container: str, command: Sequence[str]) -> Process:
        """Ready to run the command. Raises InternalError `container not found ("c")` for one that does not run."""
        ...

    async def attach(self, node: str, namespace: str, pod: str, container: str) -> Process:
        """Ready to be connected to the streams of the container's own process."""
        ...

    async def port_forward(self, node: str, namespace: str, pod: str) -> Forward: ...

    async def proxy(self, node: str, request: ProxiedRequest) -> ProxiedAnswer:
        """What the kubelet serves itself under that path: /healthz, /pods, /metrics, ..."""
        ...


class UsageSource(Protocol):
    """Who measures what pods and nodes use: what a metrics server asks of kubelets."""

    def usage(self, pod: Object) -> PodUsage | None:
        """None where no container of it runs, or its node is none of these kubelets'."""
        ...

    def node_usage(self, node: str) -> NodeUsage | None:
        """None where the node is not here or does not answer."""
        ...
