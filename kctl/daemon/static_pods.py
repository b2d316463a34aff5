"""The control plane's components as static pods of the first node, as a kubeadm cluster shows them.

Only what really runs is listed; state, start time and log are those of the component in this process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.apimachinery.objects import Object
from kctl.daemon import logs
from kctl.daemon.config import COMPONENTS, ClusterConfig, components_of
from kctl.daemon.supervisor import ComponentState

if TYPE_CHECKING:
    from controllers.kubelet.node_config import StaticPod, StaticPodState

VERSION = KUBERNETES_VERSION
SHOWN = {
    "etcd": ("registry.k8s.io/etcd:3.6.5-0", "100m", "100Mi"),
    "kube-apiserver": (f"registry.k8s.io/kube-apiserver:{VERSION}", "250m", ""),
    "kube-controller-manager": (f"registry.k8s.io/kube-controller-manager:{VERSION}", "200m", ""),
    "kube-scheduler": (f"registry.k8s.io/kube-scheduler:{VERSION}", "100m", ""),
}


def manifest(name: str) -> Object:
    """As kubeadm writes it to /etc/kubernetes/manifests, without what has no meaning here (flags, certificates, probes)."""
    image, cpu, memory = SHOWN[name]
    requests = {"cpu": cpu} | ({"memory": memory} if memory else {})
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [name],
        "resources": {"requests": requests},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"component": name, "tier": "control-plane"}},
        "spec": {
            "containers": [container],
            "hostNetwork": True,
            "priorityClassName": "system-node-critical",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        },
    }


def static_pods(
    config: ClusterConfig, log_directory: Path, clock: Clock, state_of: Callable[[str], ComponentState | None]
) -> list[StaticPod]:
    """`state_of` gives a component's state by name, None before the supervisor exists."""
    from controllers.kubelet.node_config import StaticPod

    def mirrored(name: str) -> StaticPod:
        def state() -> StaticPodState:
            return _state(state_of(name), max(config.starts - 1, 0))

        def log(options: Mapping[str, str]) -> AsyncIterator[bytes]:
            return logs.read(log_directory / f"{name}.log", options, clock)

        return StaticPod(manifest(name), state, log)

    running = components_of(config.components)
    return [mirrored(name) for name in SHOWN if name in running or name not in COMPONENTS]


def _state(state: ComponentState | None, restarts: int) -> StaticPodState:
    """A component that has started counts as running; one that ended shows why."""
    from controllers.kubelet.node_config import StaticPodState

    if state is None or state.started_at is None:
        return StaticPodState(False, restarts=restarts)
    if state.error:
        return StaticPodState(False, state.started_at, restarts, "Error", state.error, 1)
    return StaticPodState(True, state.started_at, restarts)
