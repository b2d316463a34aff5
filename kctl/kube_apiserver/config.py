"""What a kube-apiserver is told at start, by upstream's flag names where there are such."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.user import User

if TYPE_CHECKING:
    from kctl.kube_apiserver.audit.log import Rotation
    from kctl.kube_apiserver.audit.policy import Policy


class NotActedOn(NamedTuple):
    """What this cluster stores without acting on it; who creates such an object is warned with `text`."""

    resources: tuple[str, ...]
    """`plural` or `plural.group`."""
    text: str
    concerns: Callable[[Object], bool] | None = None
    """Whether it is about this very object; None = about each."""


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
    authorization_modes: tuple[str, ...] = ("Node", "RBAC")
    """--authorization-mode: Node, RBAC, AlwaysAllow, AlwaysDeny; the first that has an opinion decides. With AlwaysAllow nobody is
    anonymous, as upstream."""
    runtime_config: Mapping[str, str] = field(default_factory=dict)
    """--runtime-config: `api/all`, `api/beta`, `group/version`, `group/version/resource` > `true` or `false`."""
    anonymous_auth: bool = True
    """Requests without credentials are those of system:anonymous, where the authorization says what that may do."""
    audit_policy: Policy | None = None
    """--audit-policy-file, read; without one nothing is logged."""
    audit_log_path: str = ""
    """--audit-log-path: '-' is standard output, '' no log."""
    audit_log_rotation: Rotation | None = None
    """When the log is put aside, and what of it is kept; None as upstream where none of its flags is given."""
    service_account_key: bytes = b""
    """PEM private key signing service account tokens; '' makes one at start."""
    service_account_issuer: str = "https://kubernetes.default.svc.cluster.local"
    bootstrap: bool = True
    """Create what a new cluster contains (manifests/bootstrap)."""
    max_request_bytes: int = 3 * 1024 * 1024
    max_requests_inflight: int = 400
    """Requests that read, answered at a time; 0 is no limit."""
    max_mutating_requests_inflight: int = 200
    response_compression: bool = True
    """gzip for lists of over 128 KiB to clients that take it (upstream's feature APIResponseCompression)."""
    stall_seconds: float = 0.02
    """A request that holds the event loop longer without a pause is logged and counted; 0 for none."""
    cluster_ca: bytes = b""
    """PEM of the CA clients trust, for whoever publishes it."""
    cluster_signing_key: bytes = field(default=b"", repr=False)
    """PEM of its private key, for whoever signs certificates."""
    requestheader_client_ca: bytes = b""
    """--requestheader-client-ca-file: PEM of who signs for proxies that say for whom they ask."""
    proxy_client_certificate: bytes = b""
    """--proxy-client-cert-file: PEM of this server's certificate for extension API servers."""
    proxy_client_key: bytes = field(default=b"", repr=False)
    """--proxy-client-key-file."""
    warnings_on_write: Callable[[ResourceType, Object], Sequence[str]] | None = None
    """What the components beside this server would say to an object that was created or changed."""
    not_acted_on: tuple[NotActedOn, ...] = ()
    """What the components beside this server do not do yet (and what it does not do itself)."""
