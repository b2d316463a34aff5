"""What a kube-apiserver is told at start, by upstream's flag names where there are such."""

from __future__ import annotations

from dataclasses import dataclass, field

from kctl.apimachinery.user import User


@dataclass(frozen=True, slots=True)
class ApiServerConfig:
    """Everything has a usable default; the daemon sets keys, tokens and addresses."""

    service_cluster_ip_range: str = "10.96.0.0/16"
    service_node_port_range: tuple[int, int] = (30000, 32767)
    advertise_address: str = "127.0.0.1"
    secure_port: int = 6443
    """What the `kubernetes` Service's endpoints point at."""
    tokens: dict[str, User] = field(default_factory=dict)
    """Static bearer tokens (--token-auth-file)."""
    service_account_key: bytes = b""
    """PEM private key signing service account tokens; '' makes one at start."""
    service_account_issuer: str = "https://kubernetes.default.svc.cluster.local"
    bootstrap: bool = True
    """Create what a new cluster contains (manifests/bootstrap)."""
    max_request_bytes: int = 3 * 1024 * 1024
    cluster_ca: bytes = b""
    """PEM of the CA clients trust, for whoever publishes it."""
