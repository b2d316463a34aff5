"""kube-apiserver's configuration for a cluster of ours: its keys, its address."""

from __future__ import annotations

from kctl.daemon.annotation_warnings import annotation_warnings
from kctl.daemon.not_acted_on import NOT_ACTED_ON
from kctl.daemon.pki import Pki
from kctl.kube_apiserver.config import ApiServerConfig


def api_server_config(pki: Pki | None, host: str, port: int = 6443, authorization_mode: str = "Node,RBAC") -> ApiServerConfig:
    """`pki` None: an embedded server that nobody reaches over TLS."""
    if pki is None or not pki.exists:
        return ApiServerConfig(
            advertise_address=host,
            secure_port=port,
            authorization_modes=tuple(authorization_mode.split(",")),
            warnings_on_write=annotation_warnings,
            not_acted_on=NOT_ACTED_ON,
        )
    return ApiServerConfig(
        advertise_address=host,
        secure_port=port,
        authorization_modes=tuple(authorization_mode.split(",")),
        service_account_key=pki["sa.key"].read_bytes(),
        cluster_ca=pki["ca.crt"].read_bytes(),
        cluster_signing_key=pki["ca.key"].read_bytes(),
        requestheader_client_ca=_front_proxy(pki, "ca.crt"),
        proxy_client_certificate=_front_proxy(pki, "client.crt"),
        proxy_client_key=_front_proxy(pki, "client.key"),
        warnings_on_write=annotation_warnings,
        not_acted_on=NOT_ACTED_ON,
    )


def _front_proxy(pki: Pki, name: str) -> bytes:
    """b'' for keys of an older kctl that no cluster was started with since."""
    return pki[f"front-proxy-{name}"].read_bytes() if pki.has_front_proxy else b""
