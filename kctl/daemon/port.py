"""Which port the API server takes: the one asked for, else the one it had last, so that a kubeconfig given out stays right."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from kctl.daemon.config import DEFAULT_PORT_OR_FREE, ClusterConfig

DEFAULT_PORT = 6443
ANY = 0


def wanted(config: ClusterConfig, others: Iterable[ClusterConfig]) -> int:
    """As ClusterConfig.port. `others` are the other clusters of this machine: their ports are left to them."""
    if config.port > 0:
        return config.port
    if config.served_port and is_free(config.host, config.served_port):
        return config.served_port
    if config.served_port or config.port == ANY or any(other.served_port == DEFAULT_PORT for other in others):
        return ANY
    return DEFAULT_PORT_OR_FREE


def is_free(host: str, port: int) -> bool:
    """Connections of an earlier server that still linger do not count."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True
