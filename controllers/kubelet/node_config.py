"""What a simulated node is made of, and the static pods it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from kctl.apimachinery.objects import Object

KUBELET_PORT = 10250


class LogLine(NamedTuple):
    time: datetime
    text: str


@dataclass(frozen=True, slots=True)
class StaticPodState:
    """The real state of the component behind a static pod. Not running: `reason` (e.g. ContainerCreating, CrashLoopBackOff, or
    Error with an exit code) says why."""

    running: bool
    started_at: datetime | None = None
    restarts: int = 0
    reason: str = "ContainerCreating"
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class StaticPod:
    """A pod that the node runs by itself; the API server gets a mirror of it.

    `manifest` is a Pod as in /etc/kubernetes/manifests: metadata.name without the node's name. `logs` answers pods/log
    with the component's own log; its argument is PodLogOptions as query parameters (simulated_logs.stream_lines does
    the work for a log held as lines).
    """

    manifest: Object
    state: Callable[[], StaticPodState]
    logs: Callable[[Mapping[str, str]], AsyncIterator[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Capacity in Kubernetes quantities. `taints` as in spec.taints. `pod_cidr` only where no node IPAM controller runs."""

    name: str
    cpu: str = "4"
    memory: str = "16Gi"
    pods: int = 110
    ephemeral_storage: str = "100Gi"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, Any]] = ()
    control_plane: bool = False
    static_pods: Sequence[StaticPod] = ()
    extended_resources: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    pod_cidr: str = ""
