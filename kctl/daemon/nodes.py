"""Which nodes a cluster is started with, from its settings."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.kubelet.node_config import NodeConfig, StaticPod
from kctl.daemon.config import ClusterConfig

CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def node_names(cluster: str, count: int) -> list[str]:
    """The first is the control plane: kctl-control-plane, kctl-worker-1, kctl-worker-2, ..."""
    return [f"{cluster}-control-plane", *(f"{cluster}-worker-{number}" for number in range(1, count))]


def simulated_nodes(config: ClusterConfig, static_pods: Sequence[StaticPod] = ()) -> list[NodeConfig]:
    """`static_pods` run on the first node, which is the control plane."""
    names = node_names(config.node_prefix or config.name, config.nodes)
    return [_node(config, name, static_pods, first=index == 0) for index, name in enumerate(names)]


def _node(config: ClusterConfig, name: str, static_pods: Sequence[StaticPod], *, first: bool) -> NodeConfig:
    return NodeConfig(
        name=name,
        cpu=config.node_cpu,
        memory=config.node_memory,
        pods=config.node_pods,
        control_plane=first,
        taints=[CONTROL_PLANE_TAINT] if first and config.control_plane_taint else [],
        static_pods=list(static_pods) if first else [],
    )
