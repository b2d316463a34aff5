"""kube-apiserver's configuration for a cluster of ours: its keys, its address."""

from __future__ import annotations

from dataclasses import replace

from kctl.daemon.annotation_warnings import annotation_warnings
from kctl.daemon.config import ClusterConfig
from kctl.daemon.not_acted_on import NOT_ACTED_ON
from kctl.daemon.pki import Pki
from kctl.kube_apiserver.config import ApiServerConfig


def api_server_config(pki: Pki | None, host: str, port: int = 6443, settings: ClusterConfig | None = None) -> ApiServerConfig:
    """`pki` None: an embedded server that nobody reaches over TLS. `settings` None: the defaults."""
    settings = settings or ClusterConfig("kctl")
    made = ApiServerConfig(
        advertise_address=host,
        secure_port=port,
        authorization_modes=tuple(settings.authorization_mode.split(",")),
        runtime_config=_runtime_config(settings.runtime_config),
        warnings_on_write=annotation_warnings,
        not_acted_on=NOT_ACTED_ON,
    )
    if pki is None or not pki.exists:
        return made
    return replace(
        made,
        service_account_key=pki["sa.key"].read_bytes(),
        cluster_ca=pki["ca.crt"].read_bytes(),
        cluster_signing_key=pki["ca.key"].read_bytes(),
        requestheader_client_ca=_front_proxy(pki, "ca.crt"),
        proxy_client_certificate=_front_proxy(pki, "client.crt"),
        proxy_client_key=_front_proxy(pki, "client.key"),
    )


def _runtime_config(text: str) -> dict[str, str]:
    if not text:
        return {}
    from kctl.kube_apiserver import runtime_config

    return runtime_config.parse(text)


def _front_proxy(pki: Pki, name: str) -> bytes:
    """b'' for keys of an older kctl that no cluster was started with since."""
    return pki[f"front-proxy-{name}"].read_bytes() if pki.has_front_proxy else b""
